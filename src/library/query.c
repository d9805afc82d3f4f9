/* lens_search: terms -> the ways to go -> one ranking -> a page of it (query_page.c). */
#include <math.h>
#include <stdlib.h>

#include "base/ids.h"
#include "encoders/encoder.h"
#include "library/query_parts.h"
#include "search/fuse.h"

/* Every query has a picture that looks most like it and a text that means most like it, whatever was asked. So a way counts by how far its hits stand out
 * of all pictures: not before STANDS_OUT less than what chance alone lets the best of so many do (deviations; the square root of 2 ln n), and in
 * full FULL_MORE further out. docs/WORDS.md tells how these were found. */
enum { DEPTH = 100 /* of each ranking, at least: what stands further down hardly counts, and finding it takes longer than the rest */,
       DEEPER = 8 /* times, where what was ranked is not enough */,
       FETCHED_MOST = 16384 /* vectors that a store which searches gives for one ranking, where they are only looked through */,
       TRIES = 4 /* to rank where others take pictures out of the library meanwhile */ };
static const double fuse_k = 10, weights[LENS_WAYS] = {1, 3, 1}, stands_out[LENS_WAYS] = {0.8, 0, 1.3}, full_more[LENS_WAYS] = {4, 0, 4},
                    least_sure = 0.02, text_from = 0.4, text_full = 0.9 /* scores between which a text's part of the query grows to all of it */;

/* ---- going them ---- */

static bool may_be(void *context, int64_t id)
{
    return lens_ranker_may_be(context, id);
}

/* How deep the rankings are to be for the page that is asked for: for later pages by doubling, so that few of them see another depth. */
static size_t depth_of(const lens_search_query *self)
{
    size_t depth = DEPTH;
    while (depth < SIZE_MAX / 4 && depth / 2 < self->options->offset + (self->options->n < SIZE_MAX / 8 ? self->options->n : 0))
        depth *= 2;
    return depth;
}

static int rank(lens_search_query *self, lens_way way, lens_ranker *ranker, lens_error *err)
{
    const size_t most = ranker->count < self->depth ? ranker->count : self->depth;
    self->ranked[way] = calloc(most + 1, sizeof **self->ranked);
    if (!self->ranked[way])
        return lens_fail_memory(err);
    if (lens_ranker_rank(ranker, most, -INFINITY, false, self->ranked[way], &self->ranked_count[way], err) != 0)
        return -1;
    double mean, deviation;
    double *sure = self->sure[way] = calloc(most + 1, sizeof *sure);
    if (!sure)
        return lens_fail_memory(err);
    if (lens_ranker_spread(ranker, &mean, &deviation, err) != 0)
        return -1;
    const double from = sqrt(2 * log((double)ranker->count + 1)) - stands_out[way];
    for (size_t i = 0; i < self->ranked_count[way]; i++)
        sure[i] = fmin(1, fmax(least_sure, (((double)self->ranked[way][i].score - mean) / deviation - from) / full_more[way]));
    for (size_t i = 0; i < self->ranked_count[way] && ranker->penalties; i++) /* they decide the order; scores stay cosines */
        self->ranked[way][i].score += ranker->penalties[self->ranked[way][i].row];
    return 0;
}

static int by_id(const void *a, const void *b)
{
    const lens_search_place *x = a, *y = b;
    return x->id < y->id ? -1 : x->id > y->id;
}

lens_search_place *lens_search_find_place(const lens_search_place *places, size_t count, int64_t id)
{
    const lens_search_place wanted = {.id = id};
    return places && count ? bsearch(&wanted, places, count, sizeof *places, by_id) : NULL;
}

/* The places of the look's or the meaning's hits FOUND, or of the TEXTS: [count], in order of id. NULL when memory is short. */
static lens_search_place *places_of(const lens_fold_hit *found, const lens_text_hit *texts, size_t count)
{
    lens_search_place *places = calloc(count + 1, sizeof *places);
    for (size_t i = 0; places && i < count; i++)
        places[i] = (lens_search_place){texts ? texts[i].id : found[i].id, i};
    if (places)
        qsort(places, count, sizeof *places, by_id);
    return places;
}

/* The places of what was ranked, to be looked up. 0 or -1. */
static int keep_places(lens_search_query *self, lens_error *err)
{
    bool enough = true;
    for (int way = 0; way < LENS_WAYS && enough; way++)
        enough = (self->places[way] = places_of(self->ranked[way], NULL, self->ranked_count[way])) != NULL;
    for (size_t w = 0; w < self->ways.word_count && enough; w++)
        enough = (self->text_places[w] = places_of(NULL, self->texts[w].items, self->texts[w].count)) != NULL;
    return enough ? 0 : lens_fail_memory(err);
}

static int go(lens_search_query *self, lens_error *err)
{
    if ((self->ways.by & LENS_BY_LOOK) && rank(self, LENS_WAY_LOOK, &self->look, err) != 0)
        return -1;
    if ((self->ways.by & LENS_BY_MEANING) && rank(self, LENS_WAY_MEANING, &self->meaning, err) != 0)
        return -1;
    for (size_t w = 0; w < self->ways.word_count && ((self->ways.by & LENS_BY_TEXT) || self->ways.sifts); w++)
        if (lens_text_search(self->library, self->store, &self->ways.wanted[w], may_be, &self->look, self->ways.sifts ? SIZE_MAX : self->depth,
                             &self->texts[w], err) != 0)
            return -1;
    return lens_ranker_well(&self->look, err) == 0 ? keep_places(self, err) : -1;
}

/* Whether the words of term W have to have a phrase. */
static bool has_phrase(const lens_search_query *self, size_t w)
{
    bool phrase = false;
    for (size_t i = 0; i < self->ways.wanted[w].count; i++)
        phrase |= self->ways.wanted[w].words[i].phrase && !self->ways.wanted[w].words[i].without;
    return phrase && self->ways.word_weights[w] > 0;
}

/* Whether a word that is to be left out leaves out picture ID, or it lacks a phrase. */
static bool left_out(const lens_search_query *self, int64_t id)
{
    for (size_t w = 0; w < self->ways.word_count && self->ways.sifts; w++) {
        const lens_text_hits *hits = &self->texts[w];
        if (lens_text_leaves_out(hits, id))
            return true;
        if (has_phrase(self, w) && !lens_search_find_place(self->text_places[w], hits->count, id))
            return true;
    }
    return false;
}

/* What is fused, and the memory of it. */
typedef struct fusing {
    lens_ranking *rankings; /* [count]: one for each way, and for the text one for each term of words */
    size_t count;
    int64_t *ids; /* of all rankings, one behind the other */
    double *sure; /* of those of texts */
} fusing;

/* Of each ranking the first DEPTH. 0, or -1 when memory is short. */
static int gather_rankings(const lens_search_query *self, size_t depth, fusing *out)
{
    size_t total = self->ranked_count[LENS_WAY_LOOK] + self->ranked_count[LENS_WAY_MEANING];
    double all = 0;
    const bool texts = self->ways.by & LENS_BY_TEXT;
    for (size_t w = 0; w < self->ways.word_count && texts; w++)
        total += self->texts[w].count;
    for (size_t t = 0; t < self->ways.term_count; t++)
        all += fabs(self->ways.terms[t].weight);
    int64_t *ids = out->ids = calloc(total + 1, sizeof *ids);
    double *sure = out->sure = calloc(total + 1, sizeof *sure);
    out->rankings = calloc(LENS_WAYS + self->ways.word_count, sizeof *out->rankings);
    if (!ids || !sure || !out->rankings)
        return -1;
    for (int way = LENS_WAY_LOOK; way <= LENS_WAY_MEANING; way += LENS_WAY_MEANING) {
        const size_t count = self->ranked_count[way] < depth ? self->ranked_count[way] : depth;
        if (!count)
            continue;
        out->rankings[out->count++] = (lens_ranking){ids, self->sure[way], count, weights[way]};
        for (size_t i = 0; i < count; i++)
            *ids++ = self->ranked[way][i].id;
    }
    for (size_t w = 0; w < self->ways.word_count && texts; w++) {
        const lens_text_hits *hits = &self->texts[w];
        const size_t count = hits->count < depth || self->ways.sifts ? hits->count : depth;
        out->rankings[out->count++] = (lens_ranking){ids, sure, count, weights[LENS_WAY_TEXT] * self->ways.word_weights[w] / (all > 0 ? all : 1)};
        for (size_t i = 0; i < count; i++) {
            *ids++ = hits->items[i].id;
            *sure++ = fmin(1, fmax(least_sure, (hits->items[i].score - text_from) / (text_full - text_from)));
        }
    }
    return 0;
}

static int fuse_rankings(const lens_search_query *self, size_t depth, lens_fused **fused, size_t *count, lens_error *err)
{
    fusing gathered = {0};
    const int result = gather_rankings(self, depth, &gathered) == 0 ? lens_fuse(gathered.rankings, gathered.count, fuse_k, fused, count, err)
                                                                    : lens_fail_memory(err);
    free(gathered.rankings);
    free(gathered.ids);
    free(gathered.sure);
    return result;
}

/* Whether rankings were longer than DEPTH, or would be if they were asked for. */
static bool goes_on(const lens_search_query *self, size_t depth)
{
    bool more = ((self->ways.by & LENS_BY_LOOK) && depth < self->look.count) || ((self->ways.by & LENS_BY_MEANING) && depth < self->meaning.count);
    for (size_t w = 0; w < self->ways.word_count && (self->ways.by & LENS_BY_TEXT) && !self->ways.sifts; w++)
        more |= self->texts[w].count >= depth;
    return more;
}

/* A deeper ranking puts some before others, as what one way has far up may stand far down in another. So that nothing is on two pages, or on none, all pages
 * are of one order, in which the first of a depth stay where they are: of a hundred deep fifty, then of two hundred fifty more, and so on. */
static int fuse(lens_search_query *self, lens_search_hit **hits, size_t *count, lens_error *err)
{
    int64_t *told = NULL;
    bool last = false;
    int result = 0;
    *count = 0;
    for (size_t depth = DEPTH; result == 0 && !last; depth *= 2) {
        lens_fused *fused = NULL;
        size_t fused_count = 0;
        const size_t before = *count;
        const bool more = goes_on(self, depth);
        last = !more || depth >= self->depth;
        result = fuse_rankings(self, depth, &fused, &fused_count, err);
        lens_search_hit *grown = result == 0 ? realloc(*hits, (before + fused_count + 1) * sizeof *grown) : NULL;
        int64_t *ids = grown ? realloc(told, (before + fused_count + 1) * sizeof *ids) : NULL;
        *hits = grown ? grown : *hits;
        told = ids ? ids : told;
        if (result == 0 && !ids)
            result = lens_fail_memory(err);
        for (size_t i = 0; result == 0 && i < fused_count && (last || *count < depth / 2); i++)
            if (!lens_ids_have(told, before, fused[i].id)) {
                (*hits)[*count] = (lens_search_hit){fused[i].id, 1, fused[i].score, more && *count >= depth / 2};
                ++*count;
            }
        for (size_t i = before; result == 0 && i < *count; i++)
            told[i] = (*hits)[i].id;
        if (result == 0)
            lens_ids_sort(told, *count);
        free(fused);
    }
    free(told);
    return result;
}

/* The answer of the one way that was gone, with its own scores. */
static int alone(lens_search_query *self, lens_search_hit **hits, size_t *count, lens_error *err)
{
    const lens_way way = self->ways.by == LENS_BY_MEANING ? LENS_WAY_MEANING : LENS_WAY_LOOK;
    const lens_text_hits *texts = self->ways.by == LENS_BY_TEXT ? &self->texts[0] : NULL;
    *count = texts ? texts->count : self->ranked_count[way];
    *hits = calloc(*count + 1, sizeof **hits);
    if (!*hits)
        return lens_fail_memory(err);
    for (size_t i = 0; i < *count; i++)
        (*hits)[i] = texts ? (lens_search_hit){.id = texts->items[i].id, .stands_for = 1, .score = texts->items[i].score}
                           : (lens_search_hit){.id = self->ranked[way][i].id, .stands_for = 1, .score = (double)self->ranked[way][i].score};
    return 0;
}

int lens_search_fetch(lens_search_query *self, const lens_search_hit *hits, size_t count, lens_error *err)
{
    int64_t *ids = malloc((count + 1) * sizeof *ids);
    if (!ids)
        return lens_fail_memory(err);
    for (size_t i = 0; i < count; i++)
        ids[i] = hits[i].id;
    const int result = lens_ranker_fetch(&self->look, ids, count, err);
    free(ids);
    return result;
}

/* Takes out what is left out, speaks against the query or lies below the least score, cannot be a result, or has another of its group before it. By the look
 * alone nothing speaks against it: all pictures have their place, as where nothing is left out. */
static int sift(lens_search_query *self, lens_search_hit *hits, size_t *count, lens_error *err)
{
    const bool look = self->ways.by == LENS_BY_LOOK, reaches = *count && hits[*count - 1].score >= self->options->min_score;
    size_t kept = 0;
    for (size_t i = 0; i < *count; i++) {
        if (!may_be(&self->look, hits[i].id) || !(look || hits[i].score > 0) || !(hits[i].score >= self->options->min_score))
            continue;
        if (left_out(self, hits[i].id))
            self->cut = reaches; /* else nothing further down has the least score either */
        else
            hits[kept++] = hits[i];
    }
    *count = kept;
    if (lens_ranker_well(&self->look, err) != 0)
        return -1;
    if (!self->options->fold)
        return 0;
    lens_hit *ranked = calloc(kept + 1, sizeof *ranked);
    lens_fold_hit *folded = calloc(kept + 1, sizeof *folded);
    size_t found = 0;
    int result = ranked && folded ? lens_search_fetch(self, hits, kept, err) : lens_fail_memory(err);
    for (size_t i = 0; result == 0 && i < kept; i++) {
        ranked[i].id = hits[i].id;
        if (!lens_ranker_row(&self->look, hits[i].id, &ranked[i].row))
            result = lens_fail(err, LENS_E_FORMAT, "id:%lld: has no vector", (long long)hits[i].id);
    }
    if (result == 0)
        result = lens_ranker_fold(&self->look, ranked, kept, kept, folded, &found, err);
    for (size_t i = 0, at = 0; result == 0 && i < found; i++) {
        while (hits[at].id != folded[i].id)
            at++;
        hits[i] = (lens_search_hit){folded[i].id, folded[i].stands_for, hits[at].score, hits[at].open};
    }
    if (result == 0) {
        self->cut |= found < kept && reaches;
        *count = found;
    }
    free(ranked);
    free(folded);
    return result;
}

/* By the look alone the whole library is one ranking, as deep as anyone scrolls. */
static int look_only(lens_search_query *self, lens_search_hit **hits, size_t *count, lens_error *err)
{
    const lens_search_options *options = self->options;
    lens_ranker *look = &self->look;
    /* One more than asked for tells whether there are more. */
    const size_t asked = options->n > SIZE_MAX - options->offset - 1 ? SIZE_MAX : options->offset + options->n + 1;
    const size_t wanted = asked < look->count ? asked : look->count;
    lens_fold_hit *found = self->ranked[LENS_WAY_LOOK] = calloc(wanted + 1, sizeof *found);
    *hits = calloc(wanted + 1, sizeof **hits);
    if (!found || !*hits)
        return lens_fail_memory(err);
    const float least = options->min_score < -1 ? -INFINITY : (float)options->min_score;
    if (lens_ranker_rank(look, wanted, least, options->fold, found, count, err) != 0)
        return -1;
    for (size_t i = 0; i < *count; i++)
        (*hits)[i] = (lens_search_hit){.id = found[i].id,
                                       .stands_for = found[i].stands_for,
                                       .score = (double)found[i].score + (look->penalties ? (double)look->penalties[found[i].row] : 0)};
    self->ranked_count[LENS_WAY_LOOK] = *count;
    return 0;
}

/* Ranks as deep as it is now, and sifts. */
static int look_through(lens_search_query *self, lens_search_hit **hits, size_t *count, lens_error *err)
{
    /* The look and the meaning have one ranking for all terms, the text one for each. Words to be left out have no scores of their own by the text: what says
     * them is not what is looked for. */
    const bool one = (self->ways.by & (self->ways.by - 1)) == 0 &&
                     (self->ways.by != LENS_BY_TEXT || (self->ways.term_count == 1 && self->ways.word_weights[0] > 0));
    self->cut = false;
    int result = go(self, err);
    if (result == 0)
        result = one ? alone(self, hits, count, err) : fuse(self, hits, count, err);
    return result == 0 ? sift(self, *hits, count, err) : -1;
}

/* Whether deeper rankings would have more than the COUNT hits that are left. */
static bool is_more_below(const lens_search_query *self, size_t count)
{
    size_t most = self->look.count; /* that can be results */
    for (size_t w = 0; w < self->ways.word_count && self->ways.sifts; w++)
        if (has_phrase(self, w) && self->texts[w].count < most)
            most = self->texts[w].count;
    const bool deep = self->depth >= depth_of(self), far = lens_store_searches(self->store) && self->depth >= FETCHED_MOST;
    if (count >= most || (deep && (far || !self->cut)))
        return false;
    return goes_on(self, self->depth);
}

static void drop_rankings(lens_search_query *self)
{
    for (size_t w = 0; w < self->ways.word_count && self->texts && self->text_places; w++) {
        lens_text_hits_free(&self->texts[w]);
        free(self->text_places[w]);
        self->text_places[w] = NULL;
    }
    for (int way = 0; way < LENS_WAYS; way++) {
        free(self->ranked[way]);
        free(self->sure[way]);
        free(self->places[way]);
        self->ranked[way] = NULL;
        self->sure[way] = NULL;
        self->places[way] = NULL;
        self->ranked_count[way] = 0;
    }
}

/* Whether the HITS have all that is on the page and before it, and in its place. */
static bool is_enough(const lens_search_query *self, const lens_search_hit *hits, size_t count)
{
    const lens_search_options *options = self->options;
    const bool full = count > options->offset && count - options->offset > options->n;
    return full && (options->n == 0 || !hits[options->offset + options->n - 1].open);
}

/* The first of the rankings may all be left out, or of one group: the page is of those behind them then. How deep that is no page may decide by itself: they
 * begin alike. */
static int rank_enough(lens_search_query *self, lens_search_hit **hits, size_t *count, lens_error *err)
{
    for (self->depth = self->ways.sifts || self->options->fold ? DEPTH : depth_of(self);; self->depth *= DEEPER) {
        if (look_through(self, hits, count, err) != 0)
            return -1;
        if (is_enough(self, *hits, *count) || !is_more_below(self, *count))
            return 0;
        free(*hits);
        *hits = NULL;
        *count = 0;
        drop_rankings(self);
    }
}

/* Whether there is one ranking, of which nothing is taken out: it is the answer. */
static bool is_plain(const lens_search_query *self)
{
    return self->ways.by == LENS_BY_LOOK && !self->ways.sifts;
}

static lens_results *rank_and_tell(lens_search_query *self, lens_error *err)
{
    lens_search_hit *hits = NULL;
    size_t count = 0;
    const int result = is_plain(self) ? look_only(self, &hits, &count, err) : rank_enough(self, &hits, &count, err);
    lens_results *results = result == 0 ? lens_search_page(self, hits, count, err) : NULL;
    free(hits);
    return results;
}

static bool renew(lens_search_query *self, lens_error *err)
{
    return lens_ranker_renew(&self->look, err) == 0 && (!(self->ways.by & LENS_BY_MEANING) || lens_ranker_renew(&self->meaning, err) == 0);
}

/* What was ranked may be gone when the page is told: forgotten meanwhile, or since the warm view was made. The page would lack it, and with penalties for
 * hubs, which it then may have been spared, all of the page could be such. So the rest is ranked again; not in one long transaction with the encoding of
 * the terms, which takes as long as it takes, while a connection may have to be made anew. */
static lens_results *answer(lens_search_query *self, lens_error *err)
{
    lens_results *results = rank_and_tell(self, err);
    for (int i = 1; results && self->gone && i < TRIES; i++) {
        lens_error why = {0};
        self->gone = false;
        drop_rankings(self);
        lens_results *again = renew(self, &why) ? rank_and_tell(self, &why) : NULL;
        if (!again && results->count > 0) /* better than nothing */
            break;
        lens_results_free(results);
        results = again;
        if (!again && err)
            *err = why;
    }
    return results;
}

static void close_query(lens_search_query *self)
{
    drop_rankings(self);
    free(self->text_places);
    free(self->texts);
    lens_ways_free(&self->ways);
}

static int read_query(lens_search_query *self, const lens_term *terms, size_t term_count, lens_error *err)
{
    if (lens_ways_read(&self->ways, terms, term_count, err) != 0)
        return -1;
    self->texts = calloc(self->ways.word_count + 1, sizeof *self->texts);
    self->text_places = calloc(self->ways.word_count + 1, sizeof *self->text_places);
    return self->texts && self->text_places ? 0 : lens_fail_memory(err);
}

lens_results *lens_search(lens_library *library, const lens_term *terms, size_t term_count, const lens_search_options *options,
                          lens_error *err)
{
    if (term_count == 0) {
        lens_fail(err, LENS_E_ARGUMENT, "nothing to search for");
        return NULL;
    }
    lens_precision precision; /* also where nothing is to be encoded */
    if (options->precision && lens_precision_parse(options->precision, &precision, err) != 0)
        return NULL;
    lens_search_query self = {.library = library, .options = options};
    lens_store_model look = {0}, meaning = {0};
    lens_results *results = NULL;
    self.store = lens_library_reader(library, err);
    if (self.store && read_query(&self, terms, term_count, err) == 0 &&
        lens_ways_choose(&self.ways, library, self.store, options, &look, &meaning, err) == 0) {
        int result = lens_ranker_open(&self.look, library, self.store, &look, self.ways.look_terms, self.ways.look_count, options, !is_plain(&self), err);
        if (result == 0 && (self.ways.by & LENS_BY_MEANING))
            result = lens_ranker_open(&self.meaning, library, self.store, &meaning, self.ways.meant, self.ways.meant_count, options, true, err);
        if (result == 0)
            results = answer(&self, err);
        lens_ranker_close(&self.meaning);
        lens_ranker_close(&self.look);
    }
    close_query(&self);
    free(look.name);
    free(meaning.name);
    if (self.store)
        lens_library_reader_done(library, self.store);
    return results;
}
