/* What is written about the pictures of a library: about each, or about one. */
#include <stdlib.h>
#include <string.h>

#include "library/internal.h"
#include "store/texts.h"

typedef struct lister {
    lens_store *store;
    int (*each)(void *context, const lens_written *written);
    void *context;
    lens_buffer captions, read;
    lens_error *err;
} lister;

static int hear_text(void *context, const lens_store_text *text)
{
    lister *self = context;
    lens_buffer *to = text->picture ? &self->captions : &self->read;
    return lens_buffer_print(to, "%s%s", to->size ? "\n" : "", text->text) == 0 ? 0 : -2;
}

static int hear_picture(void *context, const lens_store_picture *picture)
{
    lister *self = context;
    lens_buffer_free(&self->captions);
    lens_buffer_free(&self->read);
    const int result = lens_store_texts_of(self->store, picture->id, hear_text, self, self->err);
    if (result != 0 || (!self->captions.size && !self->read.size))
        return result;
    const lens_written written = {picture->id, picture->path, self->captions.data ? self->captions.data : "", self->read.data ? self->read.data : ""};
    return self->each(self->context, &written);
}

int lens_written_each(lens_library *library, int (*each)(void *context, const lens_written *written), void *context, lens_error *err)
{
    lister self = {.store = lens_library_reader(library, err), .each = each, .context = context, .err = err};
    if (!self.store)
        return -1;
    int result = lens_store_pictures_each(self.store, hear_picture, &self, err);
    if (result == -2)
        result = lens_fail_memory(err);
    lens_buffer_free(&self.captions);
    lens_buffer_free(&self.read);
    lens_library_reader_done(library, self.store);
    return result;
}

/* ---- one picture ---- */

static int keep_text(void *context, const lens_store_text *text)
{
    lens_texts *self = context;
    char *copy = strdup(text->text);
    char **captions = copy && text->picture ? realloc(self->captions, (self->caption_count + 1) * sizeof *captions) : NULL;
    if (captions) {
        self->captions = captions;
        captions[self->caption_count++] = copy;
    } else if (copy && !text->picture) {
        free(self->read);
        self->read = copy;
    } else {
        free(copy);
        return -2;
    }
    return 0;
}

int lens_texts_get(lens_library *library, int64_t id, lens_texts *out, lens_error *err)
{
    *out = (lens_texts){.read = calloc(1, 1)};
    lens_store *store = lens_library_reader(library, err);
    int result = store ? lens_store_texts_of(store, id, keep_text, out, err) : -1;
    if (result == -2 || (result == 0 && !out->read))
        result = lens_fail_memory(err);
    if (store)
        lens_library_reader_done(library, store);
    if (result != 0)
        lens_texts_free(out);
    return result;
}

void lens_texts_free(lens_texts *texts)
{
    for (size_t i = 0; i < texts->caption_count; i++)
        free(texts->captions[i]);
    free(texts->captions);
    free(texts->read);
    *texts = (lens_texts){0};
}
