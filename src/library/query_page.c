/* What is told of a query's hits: the page that was asked for. */
#include <stdlib.h>
#include <string.h>

#include "library/query_parts.h"

enum { LOOKED_AT = 1000 /* hits before the page, at most, whether they are still there */ };

/* AT: which of the results it is. */
static int tell_ways(const lens_search_query *self, lens_result *item, size_t at, lens_error *err)
{
    if (self->ways.by == LENS_BY_LOOK && !self->ways.sifts) {
        item->found[LENS_WAY_LOOK] = (lens_way_found){at + 1, item->score};
        return 0;
    }
    for (int way = 0; way < LENS_WAYS; way++) {
        const lens_search_place *found = lens_search_find_place(self->places[way], self->ranked_count[way], item->id);
        if (found)
            item->found[way] = (lens_way_found){found->at + 1, (double)self->ranked[way][found->at].score};
    }
    for (size_t w = 0; w < self->ways.word_count && (self->ways.by & LENS_BY_TEXT); w++) {
        const lens_text_hits *hits = &self->texts[w];
        const lens_search_place *found = self->ways.word_weights[w] > 0 ? lens_search_find_place(self->text_places[w], hits->count, item->id) : NULL;
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
static int tell_shares(const lens_search_query *self, lens_result *item, size_t row, lens_error *err)
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

/* Whether one of the HITS that earlier pages have told is gone: then this page begins further down. Not asked of a database, which each time would be a
 * question over the network, and whose rankings are hardly ever old. */
static int look_before(lens_search_query *self, const lens_search_hit *hits, size_t count, lens_error *err)
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

static int tell(lens_search_query *self, const lens_search_hit *hits, size_t count, lens_results *results, lens_error *err)
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

lens_results *lens_search_page(lens_search_query *self, const lens_search_hit *hits, size_t count, lens_error *err)
{
    const lens_search_options *options = self->options;
    const size_t from = options->offset < count ? options->offset : count, left = count - from, given = options->n < left ? options->n : left;
    lens_results *results = calloc(1, sizeof *results);
    int result = -1;
    if (!results || !(results->items = calloc(given + 1, sizeof *results->items)) || !(results->model = strdup(self->look.model.name)))
        lens_fail_memory(err);
    else if (look_before(self, hits, from, err) == 0 && (!self->ways.look_count || lens_search_fetch(self, hits + from, given, err) == 0))
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
