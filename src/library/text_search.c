/* In three steps: FTS5 finds texts with all words, or what may be meant by them; where those are few, texts that lack one; and each is then held
 * against the query word by word (src/words/match.c). The second index that forgives is the list of all words: a misspelt word becomes those near
 * to it before FTS5 is asked, which costs a look at some ten thousand words instead of an index of trigrams three times the size of the texts. */
#include "library/text_search.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/ids.h"
#include "base/list.h"
#include "store/texts.h"

enum {
    ENOUGH = 50,        /* texts that have every word: no need to look for those that lack one */
    RANKED_MOST = 300,  /* texts a question, by BM25, of pictures that may be results; twice as many more for each stage */
    PLAIN_MOST = 2000,  /* such texts a question that are taken as they come, because so many match; the same */
    STAGES_MOST = 24,
    COMMON = 8000,      /* texts: ranking more than these takes longer than it is worth */
    LEAVE_ONE_MOST = 8, /* words of which each is left out in turn */
    RARE_WORDS = 4,
};
static const double least_score = 0.2;  /* below that hardly anything of the query is there */
static const double fresh_seconds = 2;  /* the list of words may be so old while a run writes, if a query's own words are in it */

struct lens_word_memory {
    lens_lexicon lexicon;
    int64_t texts, version;
    double read; /* when, lens_seconds */
};

void lens_word_memory_free(lens_word_memory *memory)
{
    if (memory)
        lens_lexicon_free(&memory->lexicon);
    free(memory);
}

void lens_text_hits_free(lens_text_hits *hits)
{
    for (size_t i = 0; i < hits->count; i++)
        free(hits->items[i].text);
    free(hits->items);
    free(hits->left_out);
    *hits = (lens_text_hits){0};
}

static int add_word(void *context, const char *word, size_t size, int64_t texts)
{
    return lens_lexicon_add(context, word, size, texts) == 0 ? 0 : -2;
}

/* Whether every word of WANTED is in the list that there is. */
static bool knows_all(const lens_lexicon *lexicon, const lens_wanted *wanted)
{
    for (size_t i = 0; i < wanted->count; i++)
        if (!lens_lexicon_has(lexicon, wanted->words[i].text, wanted->words[i].size))
            return false;
    return true;
}

/* Sees to it that LIBRARY has its list of words. WANTED (may be NULL): those that are asked for now. */
static int refresh(lens_library *library, lens_store *store, const lens_wanted *wanted, lens_error *err)
{
    lens_word_memory *memory = library->words;
    int64_t version = 0;
    /* A library that is not kept warm is opened anew for each query, which begins with the count; versions of two openings tell nothing. */
    if (memory && !library->warm && wanted)
        return 0;
    if (lens_store_version(store, &version, err) != 0)
        return -1;
    if (memory && library->warm && version == memory->version) {
        memory->read = lens_seconds();
        return 0;
    }
    if (memory && library->warm && memory->texts && lens_seconds() - memory->read < fresh_seconds && (!wanted || knows_all(&memory->lexicon, wanted)))
        return 0;
    lens_word_memory *fresh = calloc(1, sizeof *fresh);
    int result = -2;
    if (fresh) {
        fresh->version = version;
        fresh->read = lens_seconds();
        fresh->texts = lens_store_text_count(store, err);
        result = fresh->texts < 0 ? -1 : lens_store_words(store, add_word, &fresh->lexicon, err);
    }
    if (result != 0) {
        lens_word_memory_free(fresh);
        return result == -2 ? lens_fail_memory(err) : -1;
    }
    lens_word_memory_free(memory);
    library->words = fresh;
    return 0;
}

int64_t lens_text_count(lens_library *library, lens_store *store, lens_error *err)
{
    return refresh(library, store, NULL, err) == 0 ? library->words->texts : -1;
}

/* ---- questions to FTS5 ---- */

/* "word" as FTS5 takes it. Folded words are letters and digits only, but a library may hold anything. */
static int put_word(lens_buffer *out, const char *word, size_t size)
{
    int result = lens_buffer_append(out, "\"", 1);
    for (size_t i = 0; i < size && result == 0; i++)
        result = word[i] == '"' ? lens_buffer_append(out, "\"\"", 2) : lens_buffer_append(out, &word[i], 1);
    return result == 0 ? lens_buffer_append(out, "\"", 1) : -1;
}

/* Word I of the query and what may be meant by it: ("monday" OR "mondays"). */
static int put_near(lens_buffer *out, const lens_matcher *matcher, size_t i)
{
    const lens_wanted_word *word = &matcher->wanted->words[i];
    const struct lens_matcher_word *known = &matcher->words[i];
    int result = lens_buffer_append(out, "(", 1);
    if (result == 0)
        result = put_word(out, word->text, word->size);
    if (result == 0 && word->prefix)
        result = lens_buffer_append(out, "*", 1);
    for (size_t j = 0; j < known->near_count && result == 0; j++) {
        if (known->near[j].likeness >= 0.95f)
            continue; /* the word itself, or what begins with it */
        result = lens_buffer_append(out, " OR ", 4);
        if (result == 0)
            result = put_word(out, known->near[j].text, known->near[j].size);
    }
    return result == 0 ? lens_buffer_append(out, ")", 1) : -1;
}

/* The words of the phrase that begins at *I, which moves to its last. */
static int put_phrase(lens_buffer *out, const lens_wanted *wanted, size_t *i)
{
    const int phrase = wanted->words[*i].phrase;
    int result = 0;
    for (size_t j = *i; j < wanted->count && wanted->words[j].phrase == phrase && result == 0; j++) {
        if (j > *i)
            result = lens_buffer_append(out, " + ", 3);
        if (result == 0)
            result = put_word(out, wanted->words[j].text, wanted->words[j].size);
        if (result == 0 && wanted->words[j].prefix) /* the last of -a-b* */
            result = lens_buffer_append(out, "*", 1);
        if (j > *i)
            ++*i;
    }
    return result;
}

/* Whether word I can be looked for at all: a word that is in no text, nor anything like it, would leave nothing. */
static bool is_known(const lens_matcher *matcher, size_t i)
{
    const lens_wanted_word *word = &matcher->wanted->words[i];
    return !word->without && (word->phrase || word->prefix || matcher->words[i].near_count > 0);
}

/* An expression for the words that CHOSEN has. *COUNT: how many there are; *TEXTS: about how many texts the rarest of them has. */
static int put_all(lens_buffer *out, const lens_matcher *matcher, const bool *chosen, size_t *count, uint64_t *texts)
{
    const lens_wanted *wanted = matcher->wanted;
    int result = 0;
    *count = 0;
    *texts = UINT64_MAX;
    for (size_t i = 0; i < wanted->count && result == 0; i++) {
        if (!chosen[i])
            continue;
        if (matcher->words[i].texts < *texts)
            *texts = matcher->words[i].texts;
        if (*count)
            result = lens_buffer_append(out, " AND ", 5);
        if (result == 0)
            result = wanted->words[i].phrase ? put_phrase(out, wanted, &i) : put_near(out, matcher, i);
        ++*count;
    }
    return result;
}

/* ---- candidates ---- */

typedef struct finder {
    lens_store *store;
    const lens_matcher *matcher;
    lens_may_be *may_be;
    void *context;
    lens_text_hits *out;
    size_t capacity, left_out_capacity;
    int64_t *texts; /* that were looked at, an open table of hashes; 0: free */
    size_t text_count, text_capacity;
    size_t complete;   /* texts that score as if they had every word */
    const lens_store_text *text; /* the present one */
    lens_match match;
    lens_error *err;
    size_t most;    /* hits that are asked for */
    unsigned stage; /* how often was gone deeper */
    size_t left;    /* texts that this question may still give */
    bool phrases; /* a text is to have some */
    bool may;    /* the present one is of a picture that may be a result */
    bool cut;    /* some question had more to give */
    bool failed;
} finder;

/* Whether text ID was looked at before; from now on it was. */
static bool looked_at(finder *self, int64_t id)
{
    if (2 * self->text_count >= self->text_capacity) {
        const size_t capacity = self->text_capacity ? 2 * self->text_capacity : 1024;
        int64_t *texts = calloc(capacity, sizeof *texts);
        if (!texts) {
            self->failed = true;
            return true;
        }
        for (size_t i = 0; i < self->text_capacity; i++)
            if (self->texts[i]) {
                size_t at = (uint64_t)self->texts[i] * 0x9e3779b97f4a7c15u % capacity;
                while (texts[at])
                    at = (at + 1) % capacity;
                texts[at] = self->texts[i];
            }
        free(self->texts);
        self->texts = texts;
        self->text_capacity = capacity;
    }
    size_t at = (uint64_t)id * 0x9e3779b97f4a7c15u % self->text_capacity;
    while (self->texts[at] && self->texts[at] != id)
        at = (at + 1) % self->text_capacity;
    if (self->texts[at])
        return true;
    self->texts[at] = id;
    self->text_count++;
    return false;
}

static int add_hit(void *context, int64_t id)
{
    finder *self = context;
    lens_text_hits *out = self->out;
    if (!self->may_be(self->context, id))
        return 0;
    if (!self->may)
        self->match = lens_match_text(self->matcher, self->text->folded);
    self->may = true;
    /* What has its phrase was asked for, however little of the rest it has. */
    if (self->match.left_out || (self->match.score < least_score && !self->phrases))
        return 0;
    lens_text_hit *items = lens_list_room(out->items, out->count, &self->capacity, sizeof *items);
    if (!items)
        return -2;
    out->items = items;
    items[out->count] = (lens_text_hit){id, self->match.score, strdup(self->text->text), self->match, self->stage};
    if (!items[out->count].text)
        return -2;
    out->count++;
    return 0;
}

/* Texts of pictures that cannot be results cost a question nothing: a filter must not leave it with an empty hand. */
static int look(void *context, const lens_store_text *text)
{
    finder *self = context;
    if (looked_at(self, text->id))
        return self->failed ? -2 : 0;
    self->text = text;
    self->may = false;
    const int result = text->picture ? add_hit(self, text->picture) : lens_store_picture_ids(self->store, text->content, add_hit, self, self->err);
    self->complete += self->may && self->match.score > 0.7;
    self->left -= self->may;
    self->cut |= self->left == 0;
    return result == 0 && self->left == 0 ? 1 : result;
}

static int ask(finder *self, const bool *chosen, lens_error *err)
{
    lens_buffer match = {0};
    size_t count;
    uint64_t texts;
    int result = put_all(&match, self->matcher, chosen, &count, &texts);
    if (result != 0)
        result = -2;
    else if (count) {
        const bool ranked = texts <= COMMON || count > 1;
        const size_t least = ranked ? RANKED_MOST : PLAIN_MOST;
        self->left = self->most == SIZE_MAX ? SIZE_MAX : least << self->stage;
        result = lens_store_texts_match(self->store, match.data, ranked, look, self, err);
    }
    lens_buffer_free(&match);
    return result == -2 ? lens_fail_memory(err) : result < 0 ? -1 : 0;
}

static int leave_out(void *context, int64_t id)
{
    finder *self = context;
    lens_text_hits *out = self->out;
    int64_t *ids = lens_list_room(out->left_out, out->left_out_count, &self->left_out_capacity, sizeof *ids);
    if (!ids)
        return -2;
    out->left_out = ids;
    ids[out->left_out_count++] = id;
    return 0;
}

static int leave_out_text(void *context, const lens_store_text *text)
{
    finder *self = context;
    return text->picture ? leave_out(self, text->picture) : lens_store_picture_ids(self->store, text->content, leave_out, self, self->err);
}

bool lens_text_leaves_out(const lens_text_hits *hits, int64_t id)
{
    return lens_ids_have(hits->left_out, hits->left_out_count, id);
}

/* The pictures that -word and -"a phrase" leave out, however they were found. */
static int find_left_out(finder *self, lens_error *err)
{
    const lens_wanted *wanted = self->matcher->wanted;
    int result = 0;
    for (size_t i = 0; i < wanted->count && result == 0; i++) {
        if (!wanted->words[i].without)
            continue;
        lens_buffer match = {0};
        if (wanted->words[i].phrase)
            result = put_phrase(&match, wanted, &i);
        else if ((result = put_word(&match, wanted->words[i].text, wanted->words[i].size)) == 0 && wanted->words[i].prefix)
            result = lens_buffer_append(&match, "*", 1);
        result = result == 0 ? lens_store_texts_match(self->store, match.data, false, leave_out_text, self, err) : -2;
        lens_buffer_free(&match);
    }
    lens_ids_sort(self->out->left_out, self->out->left_out_count);
    return result == -2 ? lens_fail_memory(err) : result;
}

/* Whether word I is written without a blank before or behind it: a character of a script that has none. */
static bool is_joined(const lens_wanted *wanted, size_t i)
{
    return wanted->words[i].follows || (i + 1 < wanted->count && wanted->words[i + 1].follows);
}

static int find(finder *self, lens_error *err)
{
    const lens_matcher *matcher = self->matcher;
    const lens_wanted *wanted = matcher->wanted;
    bool chosen[LENS_WANTED_WORDS] = {false};
    bool phrases[LENS_WANTED_WORDS] = {false};
    size_t known = 0, in_phrases = 0;
    for (size_t i = 0; i < wanted->count; i++) {
        known += chosen[i] = is_known(matcher, i);
        in_phrases += phrases[i] = chosen[i] && wanted->words[i].phrase;
    }
    if (known == 0)
        return 0;
    self->phrases = in_phrases > 0;
    if (ask(self, chosen, err) != 0)
        return -1;
    /* What has the phrases is all to be known: by it is told what lacks them. And what lacks them is asked for by nobody. */
    if (in_phrases)
        return in_phrases < known ? ask(self, phrases, err) : 0;
    /* Without the one word that was read or typed too wrongly. */
    for (size_t i = 0; i < wanted->count && known > 1 && known <= LEAVE_ONE_MOST && self->complete < ENOUGH; i++) {
        if (!chosen[i] || is_joined(wanted, i)) /* without one character of two another word is left */
            continue;
        chosen[i] = false;
        const int result = ask(self, chosen, err);
        chosen[i] = true;
        if (result != 0)
            return -1;
    }
    if (self->complete || known <= 2)
        return 0;
    /* What has only two of the rarest words, so that something is found. */
    size_t rare[RARE_WORDS], count = 0;
    for (size_t i = 0; i < wanted->count; i++) {
        if (!chosen[i])
            continue;
        size_t at = count < RARE_WORDS ? count++ : RARE_WORDS;
        while (at > 0 && matcher->words[rare[at - 1]].texts > matcher->words[i].texts) {
            if (at < RARE_WORDS)
                rare[at] = rare[at - 1];
            at--;
        }
        if (at < RARE_WORDS)
            rare[at] = i;
    }
    for (size_t a = 0; a < count; a++)
        for (size_t b = a + 1; b < count; b++) {
            bool pair[LENS_WANTED_WORDS] = {false};
            for (size_t i = 0; i < wanted->count; i++)
                pair[i] = i == rare[a] || i == rare[b];
            if (ask(self, pair, err) != 0)
                return -1;
        }
    return 0;
}

/* ---- the answer ---- */

static int by_score(const void *a, const void *b)
{
    const lens_text_hit *x = a, *y = b;
    if (x->stage != y->stage)
        return x->stage < y->stage ? -1 : 1;
    return x->score > y->score ? -1 : x->score < y->score ? 1 : x->id < y->id ? -1 : x->id > y->id;
}

static int by_picture(const void *a, const void *b)
{
    const lens_text_hit *x = a, *y = b;
    return x->id != y->id ? (x->id < y->id ? -1 : 1) : by_score(a, b);
}

/* Each picture once, with the text that says it best, and not what is left out. */
static void settle(lens_text_hits *out)
{
    size_t kept = 0;
    if (out->count == 0)
        return;
    qsort(out->items, out->count, sizeof *out->items, by_picture);
    for (size_t i = 0; i < out->count; i++) {
        const bool again = kept && out->items[kept - 1].id == out->items[i].id;
        if (again || lens_text_leaves_out(out, out->items[i].id))
            free(out->items[i].text);
        else
            out->items[kept++] = out->items[i];
    }
    out->count = kept;
    qsort(out->items, out->count, sizeof *out->items, by_score);
}

/* Where more are asked for than one go gives, another one goes deeper, and what it finds comes behind: what is on the first pages is there however many
 * follow. */
static int find_in_stages(finder *self, lens_error *err)
{
    int result;
    do {
        self->cut = false;
        self->complete = 0;
        result = find(self, err);
        settle(self->out);
        self->stage++;
    } while (result == 0 && self->cut && self->out->count < self->most && self->stage < STAGES_MOST);
    while (self->out->count > self->most)
        free(self->out->items[--self->out->count].text);
    return result;
}

int lens_text_search(lens_library *library, lens_store *store, const lens_wanted *wanted, lens_may_be *may_be, void *context, size_t most,
                     lens_text_hits *out, lens_error *err)
{
    *out = (lens_text_hits){0};
    if (refresh(library, store, wanted, err) != 0)
        return -1;
    const lens_word_memory *memory = library->words;
    lens_matcher *matcher = malloc(sizeof *matcher);
    if (!matcher)
        return lens_fail_memory(err);
    lens_matcher_make(matcher, wanted, &memory->lexicon, memory->texts);
    finder self = {.store = store, .matcher = matcher, .may_be = may_be, .context = context, .out = out, .err = err, .most = most};
    int result = lens_store_moment_begin(store, err);
    if (result == 0)
        result = find_left_out(&self, err);
    if (result == 0)
        result = find_in_stages(&self, err);
    lens_store_moment_end(store);
    free(self.texts);
    free(matcher);
    return result;
}
