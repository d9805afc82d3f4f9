/* XMP, which is RDF in XML. A picture's metadata come from anyone: a document type is refused, and with it every entity that could be declared, so
 * that none can grow, or name a file; elements are not nested without end; and since expat writes a namespace's whole name out for every attribute that
 * is of it, such names are short, and what is written out in all is bounded, as is the memory that expat gets. */
#include <expat.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "captions/captions.h"
#include "captions/sayings.h"

enum {
    DEEPEST = 100,
    NAMESPACE_MOST = 256,  /* bytes of a namespace's name; those of XMP have 60 at most */
    ROOM_LEAST = 16 << 20, /* bytes of memory for any XMP */
    ROOM_TIMES = 4,        /* and so many times its own: expat's copy and one value that is all of it, each in a buffer that doubles */
};

#define RDF "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
#define DC "http://purl.org/dc/elements/1.1/"
#define IPTC "http://iptc.org/std/Iptc4xmpCore/1.0/xmlns/"

static const struct property {
    const char *name; /* as expat gives it, namespace and name with a blank between */
    lens_saying kind;
    char separator; /* of a hierarchy, or 0 */
} properties[] = {
    {DC " title", LENS_SAYING_TEXT, 0},
    {DC " description", LENS_SAYING_TEXT, 0},
    {DC " subject", LENS_SAYING_WORD, 0},
    {"http://ns.adobe.com/lightroom/1.0/ hierarchicalSubject", LENS_SAYING_WORD, '|'},
    {"http://www.digikam.org/ns/1.0/ TagsList", LENS_SAYING_WORD, '/'},
    {IPTC " AltTextAccessibility", LENS_SAYING_TEXT, 0},
    {IPTC " ExtDescrAccessibility", LENS_SAYING_TEXT, 0},
    {"http://ns.adobe.com/photoshop/1.0/ Headline", LENS_SAYING_TEXT, 0},
    {"http://ns.adobe.com/exif/1.0/ UserComment", LENS_SAYING_TEXT, 0},
};

struct reader {
    XML_Parser parser;
    size_t room, taken; /* memory for expat */
    size_t names;       /* bytes of attributes' names as expat wrote them out, ROOM at most */
    bool refused;
    lens_sayings *sayings;
    const struct property *property; /* that we are inside of, or NULL */
    int depth, property_depth;
    lens_buffer text; /* of the item, or of the property without items */
    bool no_memory;
};

/* ---- memory for expat, which tells its allocator nothing of whom it is for ------------------------------------------- */

static _Thread_local struct reader *reading;

union head {
    size_t size;
    max_align_t aligned;
};

static void *resize(void *block, size_t size)
{
    union head *head = block ? (union head *)block - 1 : NULL;
    const size_t others = reading->taken - (head ? head->size : 0);
    if (reading->refused || others > reading->room || size > reading->room - others) {
        reading->refused = true;
        return NULL;
    }
    union head *moved = realloc(head, sizeof *moved + size);
    if (!moved) {
        reading->no_memory = true;
        return NULL;
    }
    moved->size = size;
    reading->taken = others + size;
    return moved + 1;
}

static void *allocate(size_t size)
{
    return resize(NULL, size);
}

static void release(void *block)
{
    union head *head = block ? (union head *)block - 1 : NULL;
    if (head)
        reading->taken -= head->size;
    free(head);
}

/* ---- what expat tells ------------------------------------------------------------------------------------------------ */

static void refuse(struct reader *self)
{
    self->refused = true; /* nor is there more memory: the element in hand ends too */
    XML_StopParser(self->parser, XML_FALSE);
}

static void XMLCALL namespace(void *context, const XML_Char *prefix, const XML_Char *name)
{
    (void)prefix;
    if (name && strlen(name) > NAMESPACE_MOST)
        refuse(context);
}

static const struct property *find(const char *name)
{
    for (size_t i = 0; i < sizeof properties / sizeof *properties; i++)
        if (strcmp(properties[i].name, name) == 0)
            return &properties[i];
    return NULL;
}

static void add(struct reader *self, const struct property *property, const char *text, size_t size)
{
    const int done = property->separator ? lens_sayings_add_parts(self->sayings, property->kind, text, size, property->separator)
                                         : lens_sayings_add(self->sayings, property->kind, text, size);
    if (done != 0) {
        self->no_memory = true;
        XML_StopParser(self->parser, XML_FALSE);
    }
}

static void XMLCALL start(void *context, const XML_Char *name, const XML_Char **attributes)
{
    struct reader *self = context;
    if (self->refused)
        return;
    if (++self->depth > DEEPEST) {
        XML_StopParser(self->parser, XML_FALSE);
        return;
    }
    for (size_t i = 0; attributes[i]; i += 2) {
        self->names += strlen(attributes[i]);
        if (self->names > self->room) {
            refuse(self);
            return;
        }
        const struct property *property = find(attributes[i]);
        if (property)
            add(self, property, attributes[i + 1], strlen(attributes[i + 1]));
    }
    const struct property *property = self->property ? NULL : find(name);
    if (property) {
        self->property = property;
        self->property_depth = self->depth;
    }
    if (property || strcmp(name, RDF " li") == 0)
        self->text.size = 0;
}

static void XMLCALL end(void *context, const XML_Char *name)
{
    struct reader *self = context;
    if (self->property && (self->depth == self->property_depth || strcmp(name, RDF " li") == 0)) {
        add(self, self->property, self->text.data ? self->text.data : "", self->text.size);
        self->text.size = 0;
    }
    if (self->property && self->depth == self->property_depth)
        self->property = NULL;
    self->depth--;
}

static void XMLCALL characters(void *context, const XML_Char *text, int size)
{
    struct reader *self = context;
    if (!self->property || lens_buffer_append(&self->text, text, (size_t)size) == 0)
        return;
    self->no_memory = true;
    XML_StopParser(self->parser, XML_FALSE);
}

static void XMLCALL doctype(void *context, const XML_Char *name, const XML_Char *system, const XML_Char *public, int internal)
{
    struct reader *self = context;
    (void)name, (void)system, (void)public, (void)internal;
    XML_StopParser(self->parser, XML_FALSE);
}

int lens_captions_xmp(const void *bytes, size_t size, lens_sayings *sayings, bool *well)
{
    static const XML_Memory_Handling_Suite memory = {allocate, resize, release};
    if (well)
        *well = false;
    if (size > LENS_CAPTION_SIDE_MOST) {
        sayings->left_out = true;
        return 0;
    }
    struct reader self = {.room = ROOM_LEAST + ROOM_TIMES * size, .sayings = sayings};
    reading = &self;
    self.parser = XML_ParserCreate_MM(NULL, &memory, " ");
    if (!self.parser)
        return -1;
    XML_SetUserData(self.parser, &self);
    XML_SetElementHandler(self.parser, start, end);
    XML_SetStartNamespaceDeclHandler(self.parser, namespace);
    XML_SetCharacterDataHandler(self.parser, characters);
    XML_SetStartDoctypeDeclHandler(self.parser, doctype);
    const enum XML_Status status = XML_Parse(self.parser, bytes, (int)size, XML_TRUE);
    if (status == XML_STATUS_ERROR && XML_GetErrorCode(self.parser) == XML_ERROR_NO_MEMORY && !self.no_memory)
        self.refused = true;
    if (self.refused)
        sayings->refused = sayings->left_out = true;
    if (well)
        *well = status == XML_STATUS_OK;
    XML_ParserFree(self.parser);
    lens_buffer_free(&self.text);
    return self.no_memory ? -1 : 0;
}
