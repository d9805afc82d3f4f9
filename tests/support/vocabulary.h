/* A vocabulary of CLIP's kind, made here: the tokens of all bytes, a few joinings, and the two special tokens. Header only, for the fuzz
 * targets too. */
#ifndef LENS_TESTS_VOCABULARY_H
#define LENS_TESTS_VOCABULARY_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"

/* What is joined, in order. Ids: byte B is B, at the end of a word 256 + B, merge N gives 512 + N. */
static const char *const test_merges[][2] = {
    {"c", "a"},     {"ca", "t</w>"}, {"h", "a"},  {"ha", "t</w>"}, {"l", "l"},     {"h", "e"},  {"he", "ll"}, {"hell", "o</w>"},
    {"x", "x"},     {"xx", "xx"},    {"'", "s</w>"}, {"|", "></w>"}, {"\xc3\xa9", "\xc3\xa9</w>"},
};
enum {
    TEST_MERGES = sizeof test_merges / sizeof *test_merges,
    TEST_FIRST = 512 + TEST_MERGES,
    TEST_LAST,
    TEST_CLIP_SIZE,
    TEST_CAT = 512 + 1,
    TEST_HAT = 512 + 3,
};

/* The UTF-8 of the character that stands for BYTE. */
static inline void test_byte_name(int byte, char name[3])
{
    int point = byte;
    if (byte <= 32)
        point = 0x100 + byte;
    else if (byte >= 127 && byte <= 160)
        point = 0x121 + byte - 127;
    else if (byte == 173)
        point = 0x143;
    memset(name, 0, 3);
    if (point < 128) {
        name[0] = (char)point;
    } else {
        name[0] = (char)(0xc0 | point >> 6);
        name[1] = (char)(0x80 | (point & 63));
    }
}

static inline void test_print(lens_buffer *out, const char *before, const char *text, const char *behind)
{
    if (lens_buffer_print(out, "%s%s%s", before, text, behind) != 0)
        abort();
}

/* {"!": 33, …}. Free the bytes. */
static inline lens_buffer test_clip_vocabulary(void)
{
    lens_buffer out = {0};
    char end[32], name[3], token[64];
    test_print(&out, "{", "", "");
    for (int i = 0; i < 512; i++) {
        test_byte_name(i % 256, name);
        snprintf(end, sizeof end, "%s\":%d,", i < 256 ? "" : "</w>", i);
        test_print(&out, name[0] == '"' || name[0] == '\\' ? "\"\\" : "\"", name, end);
    }
    for (int i = 0; i < TEST_MERGES; i++) {
        snprintf(token, sizeof token, "%s%s", test_merges[i][0], test_merges[i][1]);
        snprintf(end, sizeof end, "\": %d,\n", 512 + i);
        test_print(&out, "\"", token, end);
    }
    snprintf(token, sizeof token, "\"<|startoftext|>\":%d,\"<|endoftext|>\":%d}", TEST_FIRST, TEST_LAST);
    test_print(&out, "", token, "\n");
    return out;
}

/* merges.txt, or the array of tokenizer.json: PAIRS as arrays, else as texts. Free the bytes. */
static inline lens_buffer test_clip_merges(void)
{
    lens_buffer out = {0};
    test_print(&out, "#version: 0.2\n", "", "");
    for (int i = 0; i < TEST_MERGES; i++) {
        test_print(&out, test_merges[i][0], " ", test_merges[i][1]);
        test_print(&out, "\n", "", "");
    }
    return out;
}

static inline lens_buffer test_clip_whole(int pairs)
{
    lens_buffer out = {0}, vocabulary = test_clip_vocabulary();
    test_print(&out, "{\"version\":\"1.0\",\"added_tokens\":[{\"id\":525,\"content\":\"<|startoftext|>\",\"lstrip\":false}],"
                     "\"model\":{\"type\":\"BPE\",\"end_of_word_suffix\":\"</w>\",\"continuing_subword_prefix\":\"\",\"vocab\":",
               vocabulary.data, ",\"merges\":[");
    for (int i = 0; i < TEST_MERGES; i++) {
        test_print(&out, i ? "," : "", pairs ? "[\"" : "\"", test_merges[i][0]);
        test_print(&out, pairs ? "\",\"" : " ", test_merges[i][1], pairs ? "\"]" : "\"");
    }
    test_print(&out, "]}}", "", "");
    lens_buffer_free(&vocabulary);
    return out;
}

/* vocab.txt of WordPiece's kind: the number of a token is that of its line, from 0. */
static const char test_wordpiece_lines[] = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\ncat\n##s\nhat\n##ter\ndeja\n!\n'\n\xe6\x97\xa5\na\n##a\nstra\xc3\x9f\x65\n##\xcc\x84\n";

#endif
