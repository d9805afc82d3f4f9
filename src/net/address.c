/* Which addresses are the public internet's, and which of those stand so near that a stranger must not reach them through us. */
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <string.h>

#include "base/bytes.h"
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
        {0xa83f8110, 32}, /* Azure's own machine behind each of its customers': not IANA's to list, and inside all the same */
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
    uint32_t first = lens_big_32(bytes);
    if (memcmp(bytes, mapped, sizeof mapped) == 0)
        return public4(lens_big_32(bytes + 12));
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

/* The bytes of ADDRESS: 4, 16, or 0 of another family. An IPv4 address that is written as one of IPv6 is what it is. */
static size_t bytes_of(const struct sockaddr *address, uint8_t bytes[16])
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    if (address->sa_family == AF_INET) {
        struct sockaddr_in in;
        memcpy(&in, address, sizeof in);
        memcpy(bytes, &in.sin_addr, 4);
        return 4;
    }
    if (address->sa_family != AF_INET6)
        return 0;
    struct sockaddr_in6 in;
    memcpy(&in, address, sizeof in);
    if (memcmp(&in.sin6_addr, mapped, sizeof mapped) == 0) {
        memcpy(bytes, in.sin6_addr.s6_addr + sizeof mapped, 4);
        return 4;
    }
    memcpy(bytes, &in.sin6_addr, 16);
    return 16;
}

bool lens_address_among(const struct sockaddr *address, const struct ifaddrs *interfaces)
{
    uint8_t asked[16], own[16], mask[16];
    const size_t size = bytes_of(address, asked);
    for (; size && interfaces; interfaces = interfaces->ifa_next) {
        if (!interfaces->ifa_addr || bytes_of(interfaces->ifa_addr, own) != size)
            continue;
        if (memcmp(asked, own, size) == 0)
            return true;
        /* The other end of a line between two is a neighbour whatever the mask says. */
        if ((interfaces->ifa_flags & IFF_POINTOPOINT) && interfaces->ifa_dstaddr && bytes_of(interfaces->ifa_dstaddr, own) == size &&
            memcmp(asked, own, size) == 0)
            return true;
        if (!interfaces->ifa_netmask || bytes_of(interfaces->ifa_netmask, mask) != size || mask[0] == 0) /* such a mask would be everyone */
            continue;
        bytes_of(interfaces->ifa_addr, own);
        bool same = true;
        for (size_t i = 0; i < size; i++)
            same &= ((asked[i] ^ own[i]) & mask[i]) == 0;
        if (same)
            return true;
    }
    return false;
}

bool lens_address_near(const struct sockaddr *address)
{
    struct ifaddrs *interfaces = NULL;
    if (getifaddrs(&interfaces) != 0)
        return true; /* who does not know where he is sends nobody next door */
    const bool near = lens_address_among(address, interfaces);
    freeifaddrs(interfaces);
    return near;
}

int lens_address_port(const struct sockaddr *address)
{
    if (address->sa_family == AF_INET) {
        struct sockaddr_in in;
        memcpy(&in, address, sizeof in);
        return ntohs(in.sin_port);
    }
    if (address->sa_family == AF_INET6) {
        struct sockaddr_in6 in;
        memcpy(&in, address, sizeof in);
        return ntohs(in.sin6_port);
    }
    return 0;
}
