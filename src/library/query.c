/* lens_search: terms -> the ways to go -> one ranking. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/ids.h"
#include "encoders/encoder.h"
#include "library/query_ways.h"
#include "library/ranker.h"
#include "library/text_search.h"
#include "search/fuse.h"
#include "store/texts.h"

/* Every query has a picture that looks most like it and a text that means most like it, whatever was asked. So a way counts by how far its hits stand out
 * of all pictures: not before STANDS_OUT less than what chance alone lets the best of so many do (deviations; the square root of 2 ln n), and in
 * full FULL_MORE further out. docs/WORDS.md tells how these were found. */
enum { DEPTH = 100 /* of each ranking, at least: what stands further down hardly counts, and finding it takes longer than the rest */,
       DEEPER = 8 /* times, where what was ranked is not enough */,
       FETCHED_MOST = 16384 /* vectors that a store which searches gives for one ranking, where they are only looked through */,
       LOOKED_AT = 1000 /* hits before the page, at most, whether they are still there */,
       TRIES = 4 /* to rank where others take pictures out of the library meanwhile */ };
static const double fuse_k = 10, weights[LENS_WAYS] = {1, 3, 1}, stands_out[LENS_WAYS] = {0.8, 0, 1.3}, full_more[LENS_WAYS] = {4, 0, 4},
                    least_sure = 0.02, text_from = 0.4, text_full = 0.9 /* scores between which a text's part of the query grows to all of it */;

/* Where a picture stands in a ranking. */
typedef struct place {
    int64_t id;
    size_t at;
} place;

/* A query in the making. */
typedef struct query {
    lens_library *library;
    lens_store *store;
    const lens_search_options *options;
    lens_ways ways;
    lens_ranker look, meaning;         /* LOOK also says which pictures may be results */
    lens_text_hits *texts;             /* [word_count] */
    lens_fold_hit *ranked[LENS_WAYS]; /* [ranked_count]: of the look and of the meaning */
    size_t ranked_count[LENS_WAYS];
    double *sure[LENS_WAYS];          /* [ranked_count] */
    place *places[LENS_WAYS], **text_places; /* [ranked_count]; [word_count][texts[w].count]: in order of id */
    size_t depth;                      /* of the rankings */
    bool cut;                          /* of what was ranked some was left out, or stands for another of its group */
    bool gone;                         /* a picture that was found is no longer there */
} query;

/* A result in the making. */
typedef struct hit {
    int64_t id, stands_for;
    double score;
    bool open; /* deeper rankings may put others before it */
} hit;

/* ---- going them ---- */

static bool may_be(void *context, int64_t id)
{
    return lens_ranker_may_be(context, id);
}

/* How deep the rankings are to be for the page that is asked for: for later pages by doubling, so that few of them see another depth. */
static size_t depth_of(const query *self)
{
    size_t depth = DEPTH;
    while (depth < SIZE_MAX / 4 && depth / 2 < self->options->offset + (self->options->n < SIZE_MAX / 8 ? self->options->n : 0))
        depth *= 2;
    return depth;
}

static int rank(query *self, lens_way way, lens_ranker *ranker, lens_error *err)
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
    const place *x = a, *y = b;
    return x->id < y->id ? -1 : x->id > y->id;
}

static place *find_place(const place *places, size_t count, int64_t id)
{
    const place wanted = {.id = id};
    return places && count ? bsearch(&wanted, places, count, sizeof *places, by_id) : NULL;
}

/* The places of the look's or the meaning's hits FOUND, or of the TEXTS: [count], in order of id. NULL when memory is short. */
static place *places_of(const lens_fold_hit *found, const lens_text_hit *texts, size_t count)
{
    place *places = calloc(count + 1, sizeof *places);
    for (size_t i = 0; places && i < count; i++)
        places[i] = (place){texts ? texts[i].id : found[i].id, i};
    if (places)
        qsort(places, count, sizeof *places, by_id);
    return places;
}

/* The places of what was ranked, to be looked up. 0 or -1. */
static int keep_places(query *self, lens_error *err)
{
    bool enough = true;
    for (int way = 0; way < LENS_WAYS && enough; way++)
        enough = (self->places[way] = places_of(self->ranked[way], NULL, self->ranked_count[way])) != NULL;
    for (size_t w = 0; w < self->ways.word_count && enough; w++)
        enough = (self->text_places[w] = places_of(NULL, self->texts[w].items, self->texts[w].count)) != NULL;
    return enough ? 0 : lens_fail_memory(err);
}

static int go(query *self, lens_error *err)
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
static bool has_phrase(const query *self, size_t w)
{
    bool phrase = false;
    for (size_t i = 0; i < self->ways.wanted[w].count; i++)
        phrase |= self->ways.wanted[w].words[i].phrase && !self->ways.wanted[w].words[i].without;
    return phrase && self->ways.word_weights[w] > 0;
}

/* Whether a word that is to be left out leaves out picture ID, or it lacks a phrase. */
static bool left_out(const query *self, int64_t id)
{
    for (size_t w = 0; w < self->ways.word_count && self->ways.sifts; w++) {
        const lens_text_hits *hits = &self->texts[w];
        if (lens_text_leaves_out(hits, id))
            return true;
        if (has_phrase(self, w) && !find_place(self->text_places[w], hits->count, id))
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
static int gather_rankings(const query *self, size_t depth, fusing *out)
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

static int fuse_rankings(const query *self, size_t depth, lens_fused **fused, size_t *count, lens_error *err)
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
static bool goes_on(const query *self, size_t depth)
{
    bool more = ((self->ways.by & LENS_BY_LOOK) && depth < self->look.count) || ((self->ways.by & LENS_BY_MEANING) && depth < self->meaning.count);
    for (size_t w = 0; w < self->ways.word_count && (self->ways.by & LENS_BY_TEXT) && !self->ways.sifts; w++)
        more |= self->texts[w].count >= depth;
    return more;
}

/* A deeper ranking puts some before others, as what one way has far up may stand far down in another. So that nothing is on two pages, or on none, all pages
 * are of one order, in which the first of a depth stay where they are: of a hundred deep fifty, then of two hundred fifty more, and so on. */
static int fuse(query *self, hit **hits, size_t *count, lens_error *err)
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
        hit *grown = result == 0 ? realloc(*hits, (before + fused_count + 1) * sizeof *grown) : NULL;
        int64_t *ids = grown ? realloc(told, (before + fused_count + 1) * sizeof *ids) : NULL;
        *hits = grown ? grown : *hits;
        told = ids ? ids : told;
        if (result == 0 && !ids)
            result = lens_fail_memory(err);
        for (size_t i = 0; result == 0 && i < fused_count && (last || *count < depth / 2); i++)
            if (!lens_ids_have(told, before, fused[i].id)) {
                (*hits)[*count] = (hit){fused[i].id, 1, fused[i].score, more && *count >= depth / 2};
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
static int alone(query *self, hit **hits, size_t *count, lens_error *err)
{
    const lens_way way = self->ways.by == LENS_BY_MEANING ? LENS_WAY_MEANING : LENS_WAY_LOOK;
    const lens_text_hits *texts = self->ways.by == LENS_BY_TEXT ? &self->texts[0] : NULL;
    *count = texts ? texts->count : self->ranked_count[way];
    *hits = calloc(*count + 1, sizeof **hits);
    if (!*hits)
        return lens_fail_memory(err);
    for (size_t i = 0; i < *count; i++)
        (*hits)[i] = texts ? (hit){.id = texts->items[i].id, .stands_for = 1, .score = texts->items[i].score}
                           : (hit){.id = self->ranked[way][i].id, .stands_for = 1, .score = (double)self->ranked[way][i].score};
    return 0;
}

/* Sees to it that the look knows the vectors of HITS. */
static int fetch(query *self, const hit *hits, size_t count, lens_error *err)
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
static int sift(query *self, hit *hits, size_t *count, lens_error *err)
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
    int result = ranked && folded ? fetch(self, hits, kept, err) : lens_fail_memory(err);
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
        hits[i] = (hit){folded[i].id, folded[i].stands_for, hits[at].score, hits[at].open};
    }
    if (result == 0) {
        self->cut |= found < kept && reaches;
        *count = found;
    }
    free(ranked);
    free(folded);
    return result;
}

/* ---- results ---- */

/* AT: which of the results it is. */
static int tell_ways(const query *self, lens_result *item, size_t at, lens_error *err)
{
    if (self->ways.by == LENS_BY_LOOK && !self->ways.sifts) {
        item->found[LENS_WAY_LOOK] = (lens_way_found){at + 1, item->score};
        return 0;
    }
    for (int way = 0; way < LENS_WAYS; way++) {
        const place *found = find_place(self->places[way], self->ranked_count[way], item->id);
        if (found)
            item->found[way] = (lens_way_found){found->at + 1, (double)self->ranked[way][found->at].score};
    }
    for (size_t w = 0; w < self->ways.word_count && (self->ways.by & LENS_BY_TEXT); w++) {
        const lens_text_hits *hits = &self->texts[w];
        const place *found = self->ways.word_weights[w] > 0 ? find_place(self->text_places[w], hits->count, item->id) : NULL;
        if (!found || item->snippet)
            continue;
        const lens_text_hit *text = &hits->items[found->at];
        item->found[LENS_WAY_TEXT] = (lens_way_found){found->at + 1, text->score};
        item->snippet = lens_match_snippet(text->text, &text->match);
        if (!item->snippet)
            return lens_fail_memory(err);
    }
    return 0;
}

/* ROW: of the look, if it was asked. */
static int tell_shares(const query *self, lens_result *item, size_t row, lens_error *err)
{
    item->terms = calloc(self->ways.term_count + 1, sizeof *item->terms);
    lens_term_share *shares = self->ways.look_count ? lens_ranker_shares(&self->look, row) : NULL;
    if (!item->terms || (self->ways.look_count && !shares)) {
        free(shares);
        return lens_fail_memory(err);
    }
    for (size_t i = 0; shares && i < self->ways.look_count; i++)
        item->terms[self->ways.look_at[i]] = shares[i];
    free(shares);
    return 0;
}

/* Whether one of the HITS that earlier pages have told is gone: then this page begins further down. Not asked of a database, which each time would be a question
 * over the network, and whose rankings are hardly ever old. */
static int look_before(query *self, const hit *hits, size_t count, lens_error *err)
{
    lens_store_picture picture;
    for (size_t i = 0; i < count && i < LOOKED_AT && !lens_store_searches(self->store); i++) {
        const int known = lens_store_picture_by_id(self->store, hits[i].id, &picture, err);
        if (known < 0)
            return -1;
        self->gone |= known == 0;
        if (known == 1)
            lens_store_picture_free(&picture);
    }
    return 0;
}

static int tell(query *self, const hit *hits, size_t count, lens_results *results, lens_error *err)
{
    int result = lens_store_moment_begin(self->store, err);
    for (size_t i = 0; result == 0 && i < count; i++) {
        lens_store_picture picture;
        size_t row = 0;
        const int known = lens_store_picture_by_id(self->store, hits[i].id, &picture, err);
        if (known < 0)
            result = -1;
        self->gone |= known == 0;
        if (known != 1)
            continue;
        /* A store that searches finds texts of pictures that the model of the look has not seen yet, as it has while a run goes on. */
        if (self->ways.look_count && !lens_ranker_row(&self->look, hits[i].id, &row)) {
            lens_store_picture_free(&picture);
            continue;
        }
        lens_result *item = &results->items[results->count++];
        *item = (lens_result){.score = hits[i].score,
                              .id = hits[i].id,
                              .path = picture.path,
                              .stands_for = hits[i].stands_for,
                              .bytes = picture.size,
                              .modified = lens_store_seconds(picture.mtime_ns),
                              .width = picture.width,
                              .height = picture.height,
                              .format = picture.format};
        picture.path = picture.format = NULL;
        lens_store_picture_free(&picture);
        if (tell_shares(self, item, row, err) != 0 || tell_ways(self, item, self->options->offset + i, err) != 0)
            result = -1;
    }
    lens_store_moment_end(self->store);
    return result;
}

/* The page of HITS that was asked for. */
static lens_results *page(query *self, const hit *hits, size_t count, lens_error *err)
{
    const lens_search_options *options = self->options;
    const size_t from = options->offset < count ? options->offset : count, left = count - from, given = options->n < left ? options->n : left;
    lens_results *results = calloc(1, sizeof *results);
    int result = -1;
    if (!results || !(results->items = calloc(given + 1, sizeof *results->items)) || !(results->model = strdup(self->look.model.name)))
        lens_fail_memory(err);
    else if (look_before(self, hits, from, err) == 0 && (!self->ways.look_count || fetch(self, hits + from, given, err) == 0))
        result = tell(self, hits + from, given, results, err);
    if (result != 0) {
        lens_results_free(results);
        return NULL;
    }
    results->term_count = self->ways.term_count;
    results->compared = self->look.count;
    results->more = given < left;
    results->by = self->ways.by;
    results->approximate = self->look.approximate || self->meaning.approximate;
    return results;
}

/* By the look alone the whole library is one ranking, as deep as anyone scrolls. */
static int look_only(query *self, hit **hits, size_t *count, lens_error *err)
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
        (*hits)[i] = (hit){found[i].id, found[i].stands_for, (double)found[i].score + (look->penalties ? (double)look->penalties[found[i].row] : 0), false};
    self->ranked_count[LENS_WAY_LOOK] = *count;
    return 0;
}

/* Ranks as deep as it is now, and sifts. */
static int look_through(query *self, hit **hits, size_t *count, lens_error *err)
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
static bool is_more_below(const query *self, size_t count)
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

static void drop_rankings(query *self)
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
static bool is_enough(const query *self, const hit *hits, size_t count)
{
    const lens_search_options *options = self->options;
    const bool full = count > options->offset && count - options->offset > options->n;
    return full && (options->n == 0 || !hits[options->offset + options->n - 1].open);
}

/* The first of the rankings may all be left out, or of one group: the page is of those behind them then. How deep that is no page may decide by itself: they
 * begin alike. */
static int rank_enough(query *self, hit **hits, size_t *count, lens_error *err)
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
static bool is_plain(const query *self)
{
    return self->ways.by == LENS_BY_LOOK && !self->ways.sifts;
}

static lens_results *rank_and_tell(query *self, lens_error *err)
{
    hit *hits = NULL;
    size_t count = 0;
    const int result = is_plain(self) ? look_only(self, &hits, &count, err) : rank_enough(self, &hits, &count, err);
    lens_results *results = result == 0 ? page(self, hits, count, err) : NULL;
    free(hits);
    return results;
}

static bool renew(query *self, lens_error *err)
{
    return lens_ranker_renew(&self->look, err) == 0 && (!(self->ways.by & LENS_BY_MEANING) || lens_ranker_renew(&self->meaning, err) == 0);
}

/* What was ranked may be gone when the page is told: forgotten meanwhile, or since the warm view was made. The page would lack it, and with penalties for
 * hubs, which it then may have been spared, all of the page could be such. So the rest is ranked again; not in one long transaction with the encoding of
 * the terms, which takes as long as it takes, while a connection may have to be made anew. */
static lens_results *answer(query *self, lens_error *err)
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

static void close_query(query *self)
{
    drop_rankings(self);
    free(self->text_places);
    free(self->texts);
    lens_ways_free(&self->ways);
}

static int read_query(query *self, const lens_term *terms, size_t term_count, lens_error *err)
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
    query self = {.library = library, .options = options};
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

void lens_results_free(lens_results *results)
{
    if (!results)
        return;
    for (size_t i = 0; i < results->count; i++) {
        free(results->items[i].path);
        free(results->items[i].format);
        free(results->items[i].terms);
        free(results->items[i].snippet);
    }
    free(results->items);
    free(results->model);
    free(results);
}
