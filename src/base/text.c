#include "base/text.h"

#include <stdint.h>
#include <strings.h>

/* Length of the well-formed UTF-8 sequence at BYTES, or 0. Table 3-7 of the Unicode standard. */
static size_t utf8_length(const unsigned char *bytes, size_t size)
{
    unsigned char lead = bytes[0];
    if (lead < 0x80)
        return 1;
    size_t length = lead >= 0xc2 && lead <= 0xdf ? 2 : (lead & 0xf0) == 0xe0 ? 3 : lead >= 0xf0 && lead <= 0xf4 ? 4 : 0;
    if (length == 0 || size < length)
        return 0;
    unsigned char low = 0x80, high = 0xbf; /* what the second byte may be */
    switch (lead) {
    case 0xe0: low = 0xa0; break;
    case 0xed: high = 0x9f; break;
    case 0xf0: low = 0x90; break;
    case 0xf4: high = 0x8f; break;
    }
    if (bytes[1] < low || bytes[1] > high)
        return 0;
    for (size_t i = 2; i < length; i++)
        if ((bytes[i] & 0xc0) != 0x80)
            return 0;
    return length;
}

bool lens_utf8_valid(const char *bytes, size_t size)
{
    const unsigned char *at = (const unsigned char *)bytes;
    while (size) {
        size_t length = utf8_length(at, size);
        if (!length)
            return false;
        at += length;
        size -= length;
    }
    return true;
}

int lens_text_printable(const char *bytes, size_t size, lens_buffer *out)
{
    const unsigned char *at = (const unsigned char *)bytes;
    while (size) {
        size_t length = utf8_length(at, size);
        /* C0, DEL and the two-byte forms of C1 can all steer a terminal. */
        bool control = length == 1 ? (at[0] < 0x20 || at[0] == 0x7f) : (length == 2 && at[0] == 0xc2 && at[1] < 0xa0);
        size_t step = length ? length : 1;
        if (length == 0 || control) {
            for (size_t i = 0; i < step; i++)
                if (lens_buffer_print(out, "\\x%02x", at[i]) != 0)
                    return -1;
        } else if (lens_buffer_append(out, at, length) != 0) {
            return -1;
        }
        at += step;
        size -= step;
    }
    return 0;
}

bool lens_is_url(const char *text)
{
    return strncasecmp(text, "http://", 7) == 0 || strncasecmp(text, "https://", 8) == 0;
}

int lens_base64_encode(const void *bytes, size_t size, lens_buffer *out)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const uint8_t *at = bytes;
    if (lens_buffer_reserve(out, (size + 2) / 3 * 4) != 0)
        return -1;
    for (size_t i = 0; i < size; i += 3) {
        size_t left = size - i;
        uint32_t bits = (uint32_t)at[i] << 16 | (left > 1 ? (uint32_t)at[i + 1] << 8 : 0) | (left > 2 ? at[i + 2] : 0);
        char group[4] = {digits[bits >> 18], digits[bits >> 12 & 63], left > 1 ? digits[bits >> 6 & 63] : '=',
                         left > 2 ? digits[bits & 63] : '='};
        if (lens_buffer_append(out, group, 4) != 0)
            return -1;
    }
    return 0;
}

static int base64_digit(unsigned char c)
{
    return c >= 'A' && c <= 'Z' ? c - 'A' : c >= 'a' && c <= 'z' ? c - 'a' + 26 : c >= '0' && c <= '9' ? c - '0' + 52 : c == '+' ? 62 : c == '/' ? 63 : -1;
}

int lens_base64_decode(const char *text, size_t size, lens_buffer *out, lens_error *err)
{
    uint32_t bits = 0;
    size_t digits = 0, padding = 0;
    if (lens_buffer_reserve(out, size / 4 * 3 + 3) != 0)
        return lens_fail_memory(err);
    for (size_t i = 0; i < size; i++) {
        const unsigned char c = (unsigned char)text[i];
        const int digit = base64_digit(c);
        if (c == ' ' || c == '\t' || c == '\r' || c == '\n')
            continue;
        if (c == '=') {
            padding++;
            continue;
        }
        if (digit < 0 || padding)
            return lens_fail(err, LENS_E_ARGUMENT, "not base64 (at byte %zu)", i);
        bits = bits << 6 | (uint32_t)digit;
        if (++digits % 4 == 0) {
            const char group[3] = {(char)(bits >> 16), (char)(bits >> 8), (char)bits};
            if (lens_buffer_append(out, group, 3) != 0)
                return lens_fail_memory(err);
        }
    }
    const size_t left = digits % 4;
    if (left == 1 || padding > 2 || (padding && (left + padding) % 4 != 0))
        return lens_fail(err, LENS_E_ARGUMENT, "base64 that ends too early");
    const char last[2] = {(char)(left == 3 ? bits >> 10 : bits >> 4), (char)(bits >> 2)};
    return left == 0 || lens_buffer_append(out, last, left - 1) == 0 ? 0 : lens_fail_memory(err);
}
