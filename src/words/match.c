#include "words/match.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { SNIPPET = 90, NEAR = 12 /* bytes in which a blank is looked for */, TOKENS_MOST = 200000 };
static const double share_of_order = 0.4; /* of how much of the query is there; words that say little make little of it, however well they stand together */
static const double skipped = 0.85;       /* what a run keeps over a word that is not the query's */
static const double longest = 400, long_costs = 0.04; /* of two texts that say the same the shorter one is meant */

void lens_matcher_make(lens_matcher *self, const lens_wanted *wanted, const lens_lexicon *lexicon, int64_t texts)
{
    double sum = 0;
    self->wanted = wanted;
    for (size_t i = 0; i < wanted->count; i++) {
        const lens_wanted_word *word = &wanted->words[i];
        struct lens_matcher_word *out = &self->words[i];
        *out = (struct lens_matcher_word){0};
        out->near_count = lens_lexicon_near(lexicon, word->text, word->size, word->prefix, out->near, LENS_NEAR_MOST);
        for (size_t j = 0; j < out->near_count; j++)
            out->texts += out->near[j].texts;
        out->weight = word->without ? 0 : log(1 + ((double)texts + 1) / ((double)out->texts + 0.5));
        sum += out->weight;
    }
    for (size_t i = 0; i < wanted->count && sum > 0; i++)
        self->words[i].weight /= sum;
    size_t before = LENS_WANTED_WORDS, earlier = LENS_WANTED_WORDS;
    for (size_t i = 0; i < wanted->count; i++) {
        self->words[i].before = before;
        self->words[i].earlier = earlier;
        if (!wanted->words[i].without) {
            earlier = before;
            before = i;
        }
    }
}

/* How like WORD the SIZE bytes AT are. */
static double like(const lens_wanted_word *word, const struct lens_matcher_word *known, const char *at, size_t size)
{
    if (size == word->size && memcmp(at, word->text, size) == 0)
        return 1;
    if (word->prefix && size > word->size && memcmp(at, word->text, word->size) == 0)
        return 0.95;
    if (word->without || word->phrase)
        return 0;
    for (size_t j = 0; j < known->near_count; j++)
        if (known->near[j].size == size && memcmp(known->near[j].text, at, size) == 0)
            return (double)known->near[j].likeness;
    return 0;
}

/* The state of a walk through a text, word by word. */
typedef struct walk {
    double best[LENS_WANTED_WORDS];   /* the likest that each word of the query has met */
    double run[3][LENS_WANTED_WORDS + 1]; /* at the last words of the text: the longest run of the query that ends there, and where it began; the last: none */
    size_t begun[3][LENS_WANTED_WORDS + 1];
    double longest_run;
    size_t from, to;
    size_t in_phrase[LENS_WANTED_WORDS]; /* [word of a phrase]: it and those before it in its phrase stand at the last words of the text */
    bool met[LENS_WANTED_WORDS + 1];     /* phrases; a word left out by itself counts under 0 */
} walk;

static void step(const lens_matcher *self, walk *w, size_t at, const char *word, size_t size)
{
    const lens_wanted *wanted = self->wanted;
    double *now = w->run[at % 3];
    const double *before = w->run[(at + 2) % 3], *earlier = w->run[(at + 1) % 3];
    const size_t *begun = w->begun[(at + 2) % 3], *begun_earlier = w->begun[(at + 1) % 3];
    size_t standing[LENS_WANTED_WORDS] = {0};
    for (size_t i = 0; i < wanted->count; i++) {
        const lens_wanted_word *asked = &wanted->words[i];
        const double likeness = like(asked, &self->words[i], word, size);
        now[i] = 0;
        if (likeness == 0)
            continue;
        if (likeness > w->best[i])
            w->best[i] = likeness;
        if (asked->phrase) {
            const bool first = i == 0 || wanted->words[i - 1].phrase != asked->phrase;
            standing[i] = first || w->in_phrase[i - 1];
            if (standing[i] && (i + 1 == wanted->count || wanted->words[i + 1].phrase != asked->phrase))
                w->met[asked->phrase] = true;
        } else if (asked->without) {
            w->met[0] = true;
        }
        if (asked->without)
            continue;
        double run = likeness;
        size_t from = at;
        const size_t one = self->words[i].before, two = self->words[i].earlier;
        if (before[one] > 0) {
            run = likeness + before[one];
            from = begun[one];
        } else if (earlier[one] > 0) {
            run = likeness + skipped * earlier[one];
            from = begun_earlier[one];
        } else if (before[two] > 0) {
            run = likeness + skipped * before[two];
            from = begun[two];
        }
        now[i] = run;
        w->begun[at % 3][i] = from;
        if (run > w->longest_run) {
            w->longest_run = run;
            w->from = from;
            w->to = at;
        }
    }
    memcpy(w->in_phrase, standing, sizeof standing);
}

lens_match lens_match_text(const lens_matcher *self, const char *folded)
{
    walk w = {.from = 1};
    size_t tokens = 0, wanted_count = 0;
    for (const char *at = folded; *at && tokens < TOKENS_MOST; at += *at == ' ') {
        const size_t size = strcspn(at, " ");
        if (size)
            step(self, &w, tokens++, at, size);
        at += size;
    }
    lens_match match = {.from = w.from, .to = w.to};
    double covered = 0;
    match.left_out = w.met[0];
    for (size_t i = 0; i < self->wanted->count; i++) {
        const lens_wanted_word *word = &self->wanted->words[i];
        if (word->phrase && w.met[word->phrase] == word->without)
            match.left_out = true;
        wanted_count += !word->without;
        covered += self->words[i].weight * w.best[i];
    }
    if (wanted_count == 0 || w.longest_run == 0)
        return match;
    /* One word has no order. */
    const double order = wanted_count > 1 ? (w.longest_run - 1) / ((double)wanted_count - 1) : covered;
    match.score = covered * (1 - share_of_order + share_of_order * (order > 0 ? order : 0)) *
                  (1 - long_costs * fmin((double)tokens, longest) / longest);
    return match;
}

/* The beginning of the character that AT is in, which is at most three bytes back. */
static size_t whole(const char *text, size_t at)
{
    for (int i = 0; i < 3 && at > 0 && ((uint8_t)text[at] & 0xc0) == 0x80; i++)
        at--;
    return at;
}

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

char *lens_match_snippet(const char *text, const lens_match *match)
{
    lens_tokens tokens = {0};
    lens_buffer out = {0};
    const size_t length = strlen(text);
    int result = lens_tokens_read(&tokens, text, length);
    size_t from = 0, to = length;
    if (result == 0 && match->from <= match->to && match->to < tokens.count) {
        from = tokens.items[match->from].from;
        to = tokens.items[match->to].to;
    }
    if (to - from > SNIPPET || length <= SNIPPET)
        to = length <= SNIPPET ? length : from + SNIPPET;
    if (length <= SNIPPET)
        from = 0;
    /* What is left of the line goes to both sides, up to a blank where one is near; what matters is never cut for one. */
    const size_t spare = to - from < SNIPPET ? SNIPPET - (to - from) : 0, ahead = spare / 3 < from ? spare / 3 : from, right = length - to;
    const size_t behind = spare - ahead < right ? spare - ahead : right, near_ahead = ahead < NEAR ? ahead : NEAR, near_behind = behind < NEAR ? behind : NEAR;
    from -= ahead;
    to += behind;
    for (size_t i = 0; i < near_ahead && from > 0; i++)
        if (is_space(text[from + i])) {
            from += i + 1;
            break;
        }
    for (size_t i = 0; i <= (behind ? near_behind : NEAR) && to < length; i++)
        if (is_space(text[to - i])) {
            to -= i;
            break;
        }
    from = whole(text, from);
    to = to < length ? whole(text, to) : to;
    while (from > 0 && from < to && is_space(text[from]))
        from++;
    if (result == 0 && from > 0)
        result = lens_buffer_append(&out, "…", 3);
    for (size_t i = from; result == 0 && i < to; i++) {
        const bool space = is_space(text[i]);
        if (!space || (out.size && out.data[out.size - 1] != ' '))
            result = lens_buffer_append(&out, space ? " " : &text[i], 1);
    }
    if (out.size && out.data[out.size - 1] == ' ')
        out.data[--out.size] = '\0';
    if (result == 0 && to < length)
        result = lens_buffer_append(&out, "…", 3);
    if (result == 0 && !out.data)
        result = lens_buffer_append(&out, "", 0);
    lens_tokens_free(&tokens);
    if (result == 0)
        return out.data;
    lens_buffer_free(&out);
    return NULL;
}
