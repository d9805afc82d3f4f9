#include "captions.h"

#include "base/text.h"
#include "support.h"

static int each(void *context, const char *name, const char *text)
{
    test_captions *heard = context;
    assert_true(*name);
    assert_true(*text && strlen(text) <= LENS_CAPTION_MOST);
    assert_true(lens_utf8_valid(text, strlen(text)));
    lens_buffer_print(&heard->given, "%s|%s;", name, text);
    heard->count++;
    return heard->stop_after && (int)heard->count == heard->stop_after ? 7 : 0;
}

static int problem(void *context, const char *line)
{
    test_captions *heard = context;
    assert_null(strchr(line, '\n'));
    lens_buffer_print(&heard->problems, "%s\n", line);
    return heard->stop_after_problems && ++heard->problem_count == heard->stop_after_problems ? 8 : 0;
}

lens_caption_visitor test_captions_visitor(test_captions *heard)
{
    *heard = (test_captions){0};
    lens_buffer_append(&heard->given, "", 0);
    lens_buffer_append(&heard->problems, "", 0);
    return (lens_caption_visitor){each, problem, heard};
}

test_captions test_captions_of(const void *text, size_t size, const lens_caption_options *options, int result, lens_error *err)
{
    test_captions heard;
    lens_caption_visitor visitor = test_captions_visitor(&heard);
    *err = (lens_error){0};
    const int got = lens_captions_parse(text, size, LENS_CAPTIONS_ANY, "t", options, &visitor, err);
    if (got != result)
        fail_msg("%d instead of %d: %s", got, result, err->message);
    return heard;
}

void test_captions_free(test_captions *heard)
{
    lens_buffer_free(&heard->given);
    lens_buffer_free(&heard->problems);
}

void test_captions_expect_bytes(const void *text, size_t size, const char *given, const char *problems)
{
    lens_error err;
    test_captions heard = test_captions_of(text, size, NULL, 0, &err);
    assert_string_equal(heard.given.data, given);
    assert_string_equal(heard.problems.data, problems);
    test_captions_free(&heard);
}

void test_captions_expect(const char *text, const char *given, const char *problems)
{
    test_captions_expect_bytes(text, strlen(text), given, problems);
}
