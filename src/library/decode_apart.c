/* The library's door to decoding in processes of their own. */
#include <signal.h>
#include <string.h>

#include "memelens.h"
#include "pixels/apart.h"
#include "pixels/decoders.h"
#include "pixels/helper_loop.h"

bool lens_decode_apart(int argc, char **argv, int *status)
{
    if (lens_helper_was(argc, argv, lens_decode_here, status))
        return true;
    signal(SIGCHLD, SIG_DFL); /* whoever started us may have ignored it: how children end would be lost, and their numbers be others' */
    lens_apart_begin(LENS_APART_SECONDS);
    return false;
}

void lens_decode_apart_expect(const lens_term *terms, size_t count)
{
    for (size_t t = 0; t < count; t++) {
        if (terms[t].kind == LENS_TERM_FILE) {
            const char *dot = strrchr(terms[t].text, '.'); /* to read it may take longer than a wrong guess */
            lens_apart_expect(lens_format_of(dot ? dot + 1 : ""));
            return;
        }
        if (terms[t].kind == LENS_TERM_BYTES) {
            lens_apart_expect(lens_sniff(terms[t].bytes, terms[t].size));
            return;
        }
    }
}

void lens_decode_apart_look(void)
{
    lens_apart_look();
}

void lens_decode_apart_end(void)
{
    lens_apart_end();
}

const char *lens_decode_apart_lacks(void)
{
    return lens_apart_lacks();
}
