/* Which addresses are the public internet's. */
#include <netinet/in.h>
#include <string.h>

#include "net/http.h"

/* IANA's registry of special-purpose addresses, and what is no address of one machine. */
static bool public4(uint32_t address)
{
    static const struct {
        uint32_t first;
        int bits;
    } others[] = {
        {0x00000000, 8},  /* this network */
        {0x0a000000, 8},  /* private */
        {0x64400000, 10}, /* shared by a provider */
        {0x7f000000, 8},  /* this machine */
        {0xa9fe0000, 16}, /* link-local, and where clouds keep their keys */
        {0xac100000, 12}, /* private */
        {0xc0000000, 24}, /* protocol assignments */
        {0xc0000200, 24}, /* documentation */
        {0xc0586300, 24}, /* once 6to4's relays */
        {0xc0a80000, 16}, /* private */
        {0xc6120000, 15}, /* benchmarks */
        {0xc6336400, 24}, /* documentation */
        {0xcb007100, 24}, /* documentation */
        {0xe0000000, 3},  /* multicast, reserved, broadcast */
    };
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (((address ^ others[i].first) >> (32 - others[i].bits)) == 0)
            return false;
    return true;
}

static bool public6(const uint8_t *bytes)
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    uint32_t first = (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
    if (memcmp(bytes, mapped, sizeof mapped) == 0)
        return public4((uint32_t)bytes[12] << 24 | (uint32_t)bytes[13] << 16 | (uint32_t)bytes[14] << 8 | bytes[15]);
    if (first >> 29 != 1) /* 2000::/3 is all that is handed out */
        return false;
    /* 6to4 and Teredo carry another address inside; 2001:db8::/32 is documentation, the rest of 2001::/23 protocols. */
    return first >> 16 != 0x2002 && first >> 9 != 0x20010000u >> 9 && first != 0x20010db8 && first >> 12 != 0x3fff0000u >> 12;
}

bool lens_address_public(const struct sockaddr *address)
{
    if (address->sa_family == AF_INET) {
        struct sockaddr_in in;
        memcpy(&in, address, sizeof in);
        return public4(ntohl(in.sin_addr.s_addr));
    }
    if (address->sa_family == AF_INET6) {
        struct sockaddr_in6 in;
        memcpy(&in, address, sizeof in);
        return public6(in.sin6_addr.s6_addr);
    }
    return false;
}
