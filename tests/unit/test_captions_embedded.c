/* src/captions/embedded.c and what it asks: descriptions inside a picture's own bytes. The pictures here are their metadata alone. */
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zlib.h>

#include "captions/captions.h"
#include "captions/sayings.h"
#include "support.h"

/* ---- pictures made by hand --------------------------------------------------------------------------------------- */

static void put_number(lens_buffer *out, uint64_t number, int bytes, bool big_endian)
{
    for (int i = 0; i < bytes; i++) {
        const uint8_t byte = (uint8_t)(number >> 8 * (big_endian ? bytes - 1 - i : i));
        test_put(out, &byte, 1);
    }
}

/* A segment of JPEG: its marker, HEAD [head_size] and BODY. */
static void put_segment(lens_buffer *out, int marker, const char *head, size_t head_size, const lens_buffer *body)
{
    put_number(out, 0xff00 | (unsigned)marker, 2, true);
    put_number(out, 2 + head_size + body->size, 2, true);
    test_put(out, head, head_size);
    test_put(out, body->data, body->size);
}

static void put_chunk(lens_buffer *out, const char *type, const void *body, size_t size)
{
    put_number(out, size, 4, true);
    test_put(out, type, 4);
    test_put(out, body, size);
    put_number(out, 0, 4, true); /* the checksum, at which no one looks */
}

struct tag {
    uint32_t tag, type;
    const void *value;
    size_t size;
};

/* A TIFF block with the tags of IFD0 and of EXIF's own directory. */
static lens_buffer tiff_of(bool big_endian, const struct tag *tags, size_t count, const struct tag *exif, size_t exif_count)
{
    lens_buffer out = {0}, data = {0};
    test_put(&out, big_endian ? "MM\0*" : "II*\0", 4);
    put_number(&out, 8, 4, big_endian);
    const size_t exif_at = 8 + 2 + 12 * (count + 1) + 4, data_at = exif_at + 2 + 12 * exif_count + 4;
    for (int directory = 0; directory < 2; directory++) {
        const struct tag *own = directory ? exif : tags;
        const size_t own_count = directory ? exif_count : count;
        put_number(&out, own_count + !directory, 2, big_endian);
        for (size_t i = 0; i < own_count; i++) {
            put_number(&out, own[i].tag, 2, big_endian);
            put_number(&out, own[i].type, 2, big_endian);
            put_number(&out, own[i].size, 4, big_endian);
            if (own[i].size <= 4) {
                test_put(&out, own[i].value, own[i].size);
                put_number(&out, 0, 4 - (int)own[i].size, big_endian);
            } else {
                put_number(&out, data_at + data.size, 4, big_endian);
                test_put(&data, own[i].value, own[i].size);
            }
        }
        if (!directory) {
            put_number(&out, 0x8769, 2, big_endian);
            put_number(&out, 4, 2, big_endian);
            put_number(&out, 1, 4, big_endian);
            put_number(&out, exif_at, 4, big_endian);
        }
        put_number(&out, 0, 4, big_endian);
    }
    test_put(&out, data.data, data.size);
    lens_buffer_free(&data);
    return out;
}

/* What Photoshop puts around IPTC, with another resource before it. */
static lens_buffer photoshop_of(const lens_buffer *iim)
{
    lens_buffer out = {0};
    test_put(&out, "8BIM\x03\xed\x03" "abc\0\0\0\3xyz\0", 18);
    test_put(&out, "8BIM\x04\x04\0\0", 8);
    put_number(&out, iim->size, 4, true);
    test_put(&out, iim->data, iim->size);
    test_put(&out, "", iim->size & 1);
    return out;
}

static void put_dataset(lens_buffer *out, int number, const char *text)
{
    test_put(out, "\x1c\x02", 2);
    put_number(out, (unsigned)number, 1, true);
    put_number(out, strlen(text), 2, true);
    test_put(out, text, strlen(text));
}

#define XMP_HEAD "<x:xmpmeta xmlns:x='adobe:ns:meta/'><rdf:RDF xmlns:rdf='http://www.w3.org/1999/02/22-rdf-syntax-ns#'>" \
    "<rdf:Description rdf:about=''" \
    " xmlns:dc='http://purl.org/dc/elements/1.1/' xmlns:i='http://iptc.org/std/Iptc4xmpCore/1.0/xmlns/' xmlns:lr='http://ns.adobe.com/lightroom/1.0/'"
#define XMP_TAIL "</rdf:Description></rdf:RDF></x:xmpmeta>"
#define XMP_TITLE XMP_HEAD "><dc:title><rdf:Alt><rdf:li xml:lang='x-default'>Title</rdf:li></rdf:Alt></dc:title>" XMP_TAIL

static void expect(const void *bytes, size_t size, const char *text)
{
    /* Exactly as large, so that a sanitizer sees one byte too many. */
    void *copy = malloc(size ? size : 1);
    assert_non_null(copy);
    memcpy(copy, bytes, size);
    lens_buffer out = {0};
    bool left_out = true;
    assert_int_equal(lens_captions_embedded(copy, size, &out, &left_out), 0);
    assert_false(left_out);
    assert_string_equal(out.data ? out.data : "", text);
    lens_buffer_free(&out);
    free(copy);
}

static void expect_freed(lens_buffer *file, const char *text)
{
    expect(file->data, file->size, text);
    lens_buffer_free(file);
}

/* XML by itself, wherever it would lie. */
static void expect_xmp(const char *xml, const char *text)
{
    lens_sayings sayings = {0};
    lens_buffer out = {0};
    assert_int_equal(lens_captions_xmp(xml, strlen(xml), &sayings, NULL), 0);
    assert_int_equal(lens_sayings_write(&sayings, &out), 0);
    assert_string_equal(out.data ? out.data : "", text);
    lens_buffer_free(&out);
    lens_sayings_free(&sayings);
}

/* ---- XMP --------------------------------------------------------------------------------------------------------- */

static void test_xmp(void **state)
{
    (void)state;
    expect_xmp(XMP_HEAD "><dc:title><rdf:Alt><rdf:li xml:lang='x-default'>T &amp; \xc3\xa4</rdf:li>"
               "<rdf:li xml:lang='de'>Titel</rdf:li></rdf:Alt></dc:title>"
               "<dc:description><rdf:Alt><rdf:li>D1\nD2</rdf:li></rdf:Alt></dc:description>"
               "<dc:subject><rdf:Bag><rdf:li>dog</rdf:li><rdf:li> cat </rdf:li></rdf:Bag></dc:subject>"
               "<lr:hierarchicalSubject><rdf:Bag><rdf:li>Animals|dog|poodle</rdf:li></rdf:Bag></lr:hierarchicalSubject>"
               "<i:AltTextAccessibility>An alt</i:AltTextAccessibility><dc:creator><rdf:Seq><rdf:li>Me</rdf:li></rdf:Seq></dc:creator>" XMP_TAIL,
               "T & \xc3\xa4\nTitel\nD1\nD2\nAn alt\ndog, cat, Animals, poodle");
    expect_xmp(XMP_HEAD " dc:title='short' i:AltTextAccessibility='alt'>" XMP_TAIL, "short\nalt");
    expect_xmp(XMP_HEAD "><dc:title>plain</dc:title>" XMP_TAIL, "plain");
    expect_xmp("<?xpacket begin='\xef\xbb\xbf'?>" XMP_TITLE "<?xpacket end='w'?>", "Title");
    /* Other names that only look the same. */
    expect_xmp("<a xmlns:dc='http://else.where/'><dc:title>T</dc:title><title>U</title></a>", "");
}

static void test_xmp_that_means_no_good(void **state)
{
    (void)state;
    expect_xmp("", "");
    expect_xmp("no xml", "");
    expect_xmp(XMP_HEAD "><dc:title>whole</dc:title><dc:description>cut", "whole");
    /* Entities that grow, or name a file: there are none, since there is no document type. */
    expect_xmp("<!DOCTYPE x [<!ENTITY a 'aaaaaaaaaa'><!ENTITY b '&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;'><!ENTITY c '&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;'>]>"
               "<x xmlns:dc='http://purl.org/dc/elements/1.1/'><dc:title>&c;</dc:title></x>", "");
    expect_xmp("<!DOCTYPE x [<!ENTITY f SYSTEM 'file:///etc/passwd'>]><x xmlns:dc='http://purl.org/dc/elements/1.1/'><dc:title>&f;</dc:title></x>",
               "");
    expect_xmp("<x xmlns:dc='http://purl.org/dc/elements/1.1/'><dc:title>&undeclared;</dc:title></x>", "");
    lens_buffer deep = {0};
    lens_buffer_print(&deep, "<x xmlns:dc='http://purl.org/dc/elements/1.1/'><dc:title>before</dc:title>");
    for (int i = 0; i < 1000000; i++)
        test_put(&deep, "<a>", 3);
    expect_xmp(deep.data, "before");
    lens_buffer_free(&deep);
    for (int depth = 50; depth <= 150; depth += 100) {
        lens_buffer_print(&deep, "<x xmlns:dc='http://purl.org/dc/elements/1.1/'>");
        for (int i = 0; i < depth; i++)
            test_put(&deep, "<a>", 3);
        lens_buffer_print(&deep, "<dc:title>inside</dc:title>");
        expect_xmp(deep.data, depth == 50 ? "inside" : "");
        lens_buffer_free(&deep);
    }
}

/* XML with a namespace's name of NAME bytes: one element with ATTRIBUTES of it, then ELEMENTS with two each, and a title before them all. */
static lens_buffer xml_of_names(size_t name, int attributes, int elements)
{
    lens_buffer xml = {0};
    lens_buffer_print(&xml, "<x xmlns:dc='http://purl.org/dc/elements/1.1/'><dc:title>before</dc:title><y xmlns:a='");
    while (name--)
        test_put(&xml, "n", 1);
    lens_buffer_print(&xml, "'><z");
    for (int i = 0; i < attributes; i++)
        lens_buffer_print(&xml, " a:x%d=''", i);
    lens_buffer_print(&xml, "/>");
    for (int i = 0; i < elements; i++)
        lens_buffer_print(&xml, "<z a:x='' a:y=''/>");
    lens_buffer_print(&xml, "</y><dc:title>after</dc:title></x>");
    return xml;
}

/* expat writes the name of a namespace out for each attribute: what it costs must not be the one times the other. */
static void test_xmp_of_long_names(void **state)
{
    (void)state;
    static const struct {
        size_t name;
        int attributes, elements;
        bool refused;
    } cases[] = {
        {376 << 10, 15000, 0, true}, /* 6 GB */
        {4 << 20, 0, 500000, true},  /* 4 TB, one by one */
        {256, 500000, 0, true},      /* names that are short enough by themselves */
        {256, 0, 700000, true},
        {256, 100, 10000, false},
    };
    struct rusage before, after;
    assert_int_equal(getrusage(RUSAGE_SELF, &before), 0);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        lens_buffer xml = xml_of_names(cases[i].name, cases[i].attributes, cases[i].elements);
        lens_sayings sayings = {0};
        bool well;
        assert_true(xml.size < LENS_CAPTION_SIDE_MOST);
        assert_int_equal(lens_captions_xmp(xml.data, xml.size, &sayings, &well), 0);
        assert_int_equal(sayings.refused, cases[i].refused);
        assert_int_equal(well, !cases[i].refused);
        assert_int_equal(sayings.left_out, cases[i].refused);
        assert_string_equal(sayings.texts.data, cases[i].refused ? "before" : "before\nafter");
        lens_sayings_free(&sayings);
        lens_buffer_free(&xml);
    }
    assert_int_equal(getrusage(RUSAGE_SELF, &after), 0);
    assert_true(after.ru_maxrss - before.ru_maxrss < 400 << 10); /* of kB; the address sanitizer holds back what was freed */
}

/* A value may be as large as XMP is, as pictures in pictures are, in an attribute or between tags; what is larger than any is left out unseen. */
static void test_xmp_of_large_values(void **state)
{
    (void)state;
    for (int in_attribute = 0; in_attribute < 2; in_attribute++) {
        lens_buffer xml = {0};
        lens_buffer_print(&xml, XMP_HEAD " xmlns:g='http://ns.google.com/photos/1.0/depthmap/'%s", in_attribute ? " g:Data='" : "><g:Data>");
        const size_t head = xml.size, size = LENS_CAPTION_SIDE_MOST - head - 200;
        lens_buffer_reserve(&xml, size);
        memset(xml.data + head, 'A', size);
        xml.data[xml.size += size] = '\0';
        lens_buffer_print(&xml, "%s<dc:title>whole</dc:title>" XMP_TAIL, in_attribute ? "'>" : "</g:Data>");
        expect_xmp(xml.data, "whole");
        lens_buffer_reserve(&xml, 300);
        memset(xml.data + xml.size, ' ', 300);
        lens_sayings sayings = {0};
        assert_int_equal(lens_captions_xmp(xml.data, xml.size + 300, &sayings, NULL), 0);
        assert_true(sayings.left_out && !sayings.texts.size);
        lens_sayings_free(&sayings);
        lens_buffer_free(&xml);
    }
}

/* ---- formats ----------------------------------------------------------------------------------------------------- */

static lens_buffer text_buffer(const char *text)
{
    lens_buffer out = {0};
    test_put(&out, text, strlen(text));
    return out;
}

static void test_jpeg(void **state)
{
    (void)state;
    const struct tag tags[] = {{0x10e, 2, "From EXIF\0\0\0", 12}};
    lens_buffer out = {0}, xmp = text_buffer(XMP_TITLE), iim = {0}, tiff = tiff_of(true, tags, 1, NULL, 0), late = text_buffer("late");
    put_dataset(&iim, 5, "Name");
    put_dataset(&iim, 25, "word");
    put_dataset(&iim, 80, "by line");
    put_dataset(&iim, 120, "From IPTC");
    lens_buffer photoshop = photoshop_of(&iim);
    test_put(&out, "\xff\xd8", 2);
    put_segment(&out, 0xe0, "JFIF", 4, &(lens_buffer){0});
    put_segment(&out, 0xe1, "Exif\0", 6, &tiff);
    test_put(&out, "\xff\xff", 2); /* fill bytes */
    put_segment(&out, 0xe1, "http://ns.adobe.com/xap/1.0/", 29, &xmp);
    /* Resources of Photoshop may be spread over segments. */
    put_segment(&out, 0xed, "Photoshop 3.0", 14, &(lens_buffer){.data = photoshop.data, .size = 40});
    put_segment(&out, 0xed, "Photoshop 3.0", 14, &(lens_buffer){.data = photoshop.data + 40, .size = photoshop.size - 40});
    test_put(&out, "\xff\xda\0\2", 4);
    put_segment(&out, 0xe1, "http://ns.adobe.com/xap/1.0/", 29, &late);
    expect(out.data, out.size, "From EXIF\nTitle\nName\nFrom IPTC\nword");
    for (size_t size = 0; size < out.size; size++) { /* cut off anywhere */
        lens_buffer said = {0};
        char *copy = malloc(size + 1);
        memcpy(copy, out.data, size);
        copy = realloc(copy, size ? size : 1);
        assert_int_equal(lens_captions_embedded(copy, size, &said, NULL), 0);
        free(copy);
        lens_buffer_free(&said);
    }
    lens_buffer_free(&out);
    lens_buffer_free(&xmp);
    lens_buffer_free(&iim);
    lens_buffer_free(&tiff);
    lens_buffer_free(&late);
    lens_buffer_free(&photoshop);
}

/* XMP that is too long for one segment goes on in others. */
static void test_jpeg_with_extended_xmp(void **state)
{
    (void)state;
    static const char head[] = "http://ns.adobe.com/xmp/extension/";
    lens_buffer out = {0};
    const char *xmp = XMP_TITLE;
    test_put(&out, "\xff\xd8", 2);
    const size_t places[] = {0, 100, 200, strlen(xmp)};
    for (int i = 0; i < 4; i++) { /* the second comes twice */
        const size_t from = places[i < 2 ? i : i - 1], to = places[i < 2 ? i + 1 : i];
        lens_buffer piece = {0};
        test_put(&piece, "0123456789abcdef0123456789abcdef", 32);
        put_number(&piece, strlen(xmp), 4, true);
        put_number(&piece, from, 4, true);
        test_put(&piece, xmp + from, to - from);
        put_segment(&out, 0xe1, head, sizeof head, &piece);
        lens_buffer_free(&piece);
    }
    expect_freed(&out, "Title");
}

static void test_exif(void **state)
{
    (void)state;
    static const char title[] = "T\0i\0\xe4\0\0\0", words[] = "a\0;\0b\0", comment[] = "UNICODE\0H\0i\0", japanese[] = "JIS\0\0\0\0\0x",
        ascii[] = "ASCII\0\0\0Hello\0junk";
    const struct tag tags[] = {{0x10e, 2, "\xe4 description\0and more", 22}, {0x9c9b, 1, title, 8}, {0x9c9e, 1, words, 6}, {0x9c9c, 1, "C\0", 2}};
    for (int big_endian = 0; big_endian < 2; big_endian++) {
        /* The comment is in the wrong order for one of them, as some programs write it. */
        lens_buffer block = tiff_of(big_endian, tags, 4, &(struct tag){0x9286, 7, comment, 12}, 1);
        expect_freed(&block, "\xc3\xa4 description\nTi\xc3\xa4\nC\nHi\na, b");
    }
    lens_buffer block = tiff_of(false, NULL, 0, &(struct tag){0x9286, 7, ascii, 18}, 1);
    expect_freed(&block, "Hello");
    block = tiff_of(false, NULL, 0, &(struct tag){0x9286, 7, japanese, 9}, 1);
    expect_freed(&block, "");
    block = tiff_of(false, NULL, 0, &(struct tag){0x9286, 7, "\0\0\0\0\0\0\0\0\1\2\3binary", 17}, 1);
    expect_freed(&block, "");
    block = tiff_of(true, NULL, 0, &(struct tag){0x9286, 7, "UNICODE\0\xff\xfe" "A\0\x03\x26", 14}, 1);
    expect_freed(&block, "A\xe2\x98\x83");
    /* A TIFF file has IPTC and XMP as tags. */
    lens_buffer iim = {0}, other = {0};
    put_dataset(&iim, 105, "Headline");
    put_dataset(&other, 120, "From Photoshop");
    lens_buffer photoshop = photoshop_of(&other);
    const struct tag file[] = {{0x2bc, 1, XMP_TITLE, strlen(XMP_TITLE)}, {0x83bb, 7, iim.data, iim.size},
        {0x8649, 1, photoshop.data, photoshop.size}};
    block = tiff_of(true, file, 3, NULL, 0);
    expect_freed(&block, "Title\nHeadline\nFrom Photoshop");
    lens_buffer_free(&iim);
    lens_buffer_free(&other);
    lens_buffer_free(&photoshop);
    /* A directory of itself, and places outside. */
    expect("II*\0\x08\0\0\0\2\0\x69\x87\4\0\1\0\0\0\x08\0\0\0\x0e\1\2\0\xff\xff\xff\xff\xff\xff\xff\xff", 34, "");
}

static void test_iptc(void **state)
{
    (void)state;
    lens_sayings sayings = {0};
    lens_buffer iim = {0}, out = {0};
    test_put(&iim, "\x1c\1\x5a\0\3\x1b%G", 8); /* 1:90, UTF-8 */
    put_dataset(&iim, 25, "\xc3\xa4");
    put_dataset(&iim, 25, "\xe4pfel"); /* and this was not, after all */
    test_put(&iim, "\x1c\2\x78\x80\4\0\0\0\5Hello", 14); /* a dataset that may be long */
    test_put(&iim, "\x1c\2\x78\x7f\xff???", 8);
    assert_int_equal(lens_captions_iim((const unsigned char *)iim.data, iim.size, &sayings), 0);
    assert_int_equal(lens_sayings_write(&sayings, &out), 0);
    assert_string_equal(out.data, "Hello\n\xc3\xa4, \xc3\xa4pfel");
    lens_sayings_free(&sayings);
    lens_buffer_free(&iim);
    lens_buffer_free(&out);
}

/* KEY and TEXT of a chunk zTXt, packed. */
static lens_buffer packed(const char *key, size_t key_size, const char *text, size_t size)
{
    lens_buffer out = {0};
    uLongf room = compressBound(size);
    test_put(&out, key, key_size);
    lens_buffer_reserve(&out, room);
    assert_int_equal(compress((Bytef *)out.data + out.size, &room, (const Bytef *)text, size), Z_OK);
    out.size += room;
    return out;
}

static void test_png(void **state)
{
    (void)state;
    lens_buffer out = {0}, compressed = packed("Description\0", 13, "Packed", 6),
        international = packed("Comment\0\1\0de\0Kommentar\0", 23, "\xc3\xa4", 2);
    test_put(&out, "\x89PNG\r\n\x1a\n", 8);
    put_chunk(&out, "tEXt", "Title\0A \xe4", 9);
    put_chunk(&out, "tEXt", "Software\0Something", 18);
    put_chunk(&out, "tEXt", "Comment\0Created with GIMP", 25);
    put_chunk(&out, "tEXt", "no key", 6);
    put_chunk(&out, "zTXt", compressed.data, compressed.size);
    put_chunk(&out, "zTXt", compressed.data, compressed.size - 3);
    put_chunk(&out, "iTXt", international.data, international.size);
    put_chunk(&out, "iTXt", "XML:com.adobe.xmp\0\0\0\0\0" XMP_TITLE, 22 + strlen(XMP_TITLE));
    put_chunk(&out, "iTXt", "Comment\0\0\0en", 12);
    const struct tag tags[] = {{0x10e, 2, "EXIF here", 9}};
    lens_buffer tiff = tiff_of(false, tags, 1, NULL, 0);
    put_chunk(&out, "eXIf", tiff.data, tiff.size);
    test_put(&out, "\0\xff\xff\xfftEXtTitle\0cut", 17);
    expect_freed(&out, "A \xc3\xa4\nPacked\n\xc3\xa4\nTitle\nEXIF here");
    lens_buffer_free(&compressed);
    lens_buffer_free(&international);
    lens_buffer_free(&tiff);
}

/* The same with 400 MB of text, which are never in memory. */
static lens_buffer bomb_of(const char *key, size_t key_size)
{
    static Bytef text[1 << 20], piece[1 << 16];
    memset(text, 'x', sizeof text);
    lens_buffer out = {0};
    test_put(&out, key, key_size);
    z_stream stream = {0};
    assert_int_equal(deflateInit(&stream, 1), Z_OK);
    for (int i = 0; i < 400; i++) {
        stream.next_in = text;
        stream.avail_in = sizeof text;
        do {
            stream.next_out = piece;
            stream.avail_out = sizeof piece;
            deflate(&stream, i == 399 ? Z_FINISH : Z_NO_FLUSH);
            test_put(&out, piece, sizeof piece - stream.avail_out);
        } while (stream.avail_out == 0);
    }
    deflateEnd(&stream);
    return out;
}

static void test_png_that_inflates(void **state)
{
    (void)state;
    lens_buffer out = {0}, said = {0}, bomb = bomb_of("Title\0", 7), metadata = bomb_of("XML:com.adobe.xmp\0\1\0\0", 22);
    test_put(&out, "\x89PNG\r\n\x1a\n", 8);
    put_chunk(&out, "zTXt", bomb.data, bomb.size);
    put_chunk(&out, "iTXt", metadata.data, metadata.size);
    put_chunk(&out, "tEXt", "Title\0after", 11);
    bool left_out = false;
    assert_int_equal(lens_captions_embedded(out.data, out.size, &said, &left_out), 0);
    assert_true(left_out);
    assert_string_equal(said.data, "after");
    struct rusage usage;
    assert_int_equal(getrusage(RUSAGE_SELF, &usage), 0);
    assert_true(usage.ru_maxrss < 300 << 10); /* of kB */
    lens_buffer_free(&out);
    lens_buffer_free(&said);
    lens_buffer_free(&bomb);
    lens_buffer_free(&metadata);
}

/* What is said once may be pointed at thousands of times, and pieces that go on and on may be put together as often as they come. */
static void test_work_is_bounded(void **state)
{
    (void)state;
    enum { ENTRIES = 1000, SIZE = 1 << 20 };
    lens_buffer out = {0}, said = {0};
    test_put(&out, "MM\0*", 4);
    put_number(&out, 8, 4, true);
    put_number(&out, ENTRIES, 2, true);
    for (int i = 0; i < ENTRIES; i++) {
        put_number(&out, 0x2bc, 2, true);
        put_number(&out, 1, 2, true);
        put_number(&out, SIZE, 4, true);
        put_number(&out, 10 + 12 * ENTRIES, 4, true);
    }
    const size_t end = out.size + SIZE;
    test_put(&out, XMP_TITLE, strlen(XMP_TITLE));
    while (out.size < end)
        test_put(&out, " ", 1);
    bool left_out = false;
    assert_int_equal(lens_captions_embedded(out.data, out.size, &said, &left_out), 0);
    assert_true(left_out);
    assert_string_equal(said.data, "Title");
    lens_buffer_free(&said);

    const size_t half = strlen(XMP_TITLE) / 2;
    out.size = 0;
    test_put(&out, "\xff\xd8", 2);
    for (int piece = 0; piece < 2; piece++) {
        lens_buffer body = {0};
        test_put(&body, "0123456789abcdef0123456789abcdef", 32);
        put_number(&body, piece ? strlen(XMP_TITLE) : half, 4, true); /* the first says that it is all */
        put_number(&body, piece ? half : 0, 4, true);
        test_put(&body, &XMP_TITLE[piece ? half : 0], piece ? strlen(XMP_TITLE) - half : half);
        put_segment(&out, 0xe1, "http://ns.adobe.com/xmp/extension/", 35, &body);
        lens_buffer_free(&body);
    }
    test_put(&out, "\xff\xda", 2);
    expect_freed(&out, "");
}

static void test_webp(void **state)
{
    (void)state;
    lens_buffer out = {0};
    const struct tag tags[] = {{0x10e, 2, "EXIF here", 9}};
    lens_buffer tiff = tiff_of(false, tags, 1, NULL, 0);
    test_put(&out, "RIFF????WEBPVP8X\3\0\0\0abc\0", 24);
    test_put(&out, "EXIF", 4);
    put_number(&out, tiff.size + 6, 4, false);
    test_put(&out, "Exif\0", 6);
    test_put(&out, tiff.data, tiff.size);
    test_put(&out, "", tiff.size & 1);
    put_number(&out, 0, 4, false); /* an odd chunk, and the byte behind it */
    put_number(&out, 3, 4, false);
    test_put(&out, "odd", 4);
    test_put(&out, "XMP ", 4);
    put_number(&out, strlen(XMP_TITLE), 4, false);
    test_put(&out, XMP_TITLE, strlen(XMP_TITLE));
    expect_freed(&out, "EXIF here\nTitle");
    lens_buffer_free(&tiff);
}

static void test_other_formats(void **state)
{
    (void)state;
    expect("GIF89a.<x:.." XMP_TITLE "\1\xff\xfe", 15 + strlen(XMP_TITLE), "Title");
    expect("II+\0\x08\0\0\0" XMP_TITLE, 8 + strlen(XMP_TITLE), "Title"); /* a BigTIFF */
    expect("GIF89a", 6, "");
    expect("", 0, "");
    expect("<x:xmpmeta", 10, "");
}

/* ---- what is said ------------------------------------------------------------------------------------------------ */

static void test_defaults_and_repetitions(void **state)
{
    (void)state;
    static const char *const texts[] = {"OLYMPUS DIGITAL CAMERA         ", "SONY DSC", "DCIM\\100MEDIA\\DJI_0001.JPG", "created with GIMP 2.10",
        "  ", "A dog", "a dog", "A dog\0",
                                        "binary \1\2", "SONY DSC, but I wrote more"};
    lens_sayings sayings = {0};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        assert_int_equal(lens_sayings_add(&sayings, LENS_SAYING_TEXT, texts[i], strlen(texts[i])), 0);
    assert_string_equal(sayings.texts.data, "A dog\na dog\nSONY DSC, but I wrote more");
    for (int i = 0; i < 30000; i++) {
        char word[20];
        snprintf(word, sizeof word, "%d", i % 10000);
        assert_int_equal(lens_sayings_add(&sayings, LENS_SAYING_WORD, word, strlen(word)), 0);
    }
    assert_int_equal(sayings.count, 10003);
    assert_false(sayings.left_out);
    lens_sayings_free(&sayings);
}

static void test_a_text_that_is_too_long(void **state)
{
    (void)state;
    lens_sayings sayings = {0};
    char *text = malloc(LENS_CAPTION_MOST + 1);
    memset(text, 'x', LENS_CAPTION_MOST + 1);
    assert_int_equal(lens_sayings_add(&sayings, LENS_SAYING_TEXT, text, LENS_CAPTION_MOST + 1), 0);
    assert_int_equal(lens_sayings_add(&sayings, LENS_SAYING_TEXT, "short", 5), 0);
    assert_true(sayings.left_out);
    assert_string_equal(sayings.texts.data, "short");
    lens_sayings_free(&sayings);
    free(text);
}

/* In Windows-1252 or UTF-16 it would be larger yet as UTF-8: it is not even turned into that. */
static void test_a_text_of_another_encoding_that_is_too_long(void **state)
{
    (void)state;
    enum { SIZE = 120 << 20, SIZE_16 = 60 << 20 };
    lens_buffer png = {0}, said = {0};
    char *text = malloc(SIZE);
    assert_non_null(text);
    memset(text, 0xa9, SIZE); /* a sign of three bytes in UTF-8, in UTF-16 */
    memcpy(text, "Comment", 8);
    test_put(&png, "\x89PNG\r\n\x1a\n", 8);
    put_chunk(&png, "tEXt", text, SIZE);
    put_chunk(&png, "tEXt", "Title\0after", 11);
    const struct tag tags[] = {{0x9c9c, 1, text + 8, SIZE_16}, {0x10e, 2, "short", 5}};
    lens_buffer tiff = tiff_of(true, tags, 2, NULL, 0);
    free(text);
    for (int i = 0; i < 2; i++) { /* in a process of its own, whose most memory is none of what stood here before */
        int status;
        const pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            struct rusage before, after;
            bool left_out = false;
            getrusage(RUSAGE_SELF, &before);
            const int result = lens_captions_embedded(i ? tiff.data : png.data, i ? tiff.size : png.size, &said, &left_out);
            getrusage(RUSAGE_SELF, &after);
            const bool told = result == 0 && left_out && said.data && strcmp(said.data, i ? "short" : "after") == 0;
            _exit(!told ? 1 : after.ru_maxrss - before.ru_maxrss < 20 << 10 /* of kB */ ? 0 : 2);
        }
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_int_equal(status, 0);
    }
    lens_buffer_free(&png);
    lens_buffer_free(&tiff);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_xmp), cmocka_unit_test(test_xmp_that_means_no_good), cmocka_unit_test(test_jpeg),
            cmocka_unit_test(test_jpeg_with_extended_xmp),
        cmocka_unit_test(test_exif), cmocka_unit_test(test_iptc), cmocka_unit_test(test_png), cmocka_unit_test(test_png_that_inflates),
        cmocka_unit_test(test_work_is_bounded), cmocka_unit_test(test_webp), cmocka_unit_test(test_other_formats),
        cmocka_unit_test(test_defaults_and_repetitions),
        cmocka_unit_test(test_a_text_that_is_too_long), cmocka_unit_test(test_xmp_of_long_names), cmocka_unit_test(test_xmp_of_large_values),
        cmocka_unit_test(test_a_text_of_another_encoding_that_is_too_long),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
