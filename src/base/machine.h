/* The machines that memelens is for: 64 bits, the lowest byte first. The Makefile has every file include this before anything else, so that a
 * build for another machine ends in its first file, and with the reason. */
#ifndef LENS_BASE_MACHINE_H
#define LENS_BASE_MACHINE_H

#if !defined(__BYTE_ORDER__) || __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "memelens needs a little-endian machine: vector files, packed weights and models are mapped as they lie on the disk, the lowest byte first"
#endif

#if !defined(__SIZEOF_POINTER__) || __SIZEOF_POINTER__ != 8 || __SIZEOF_SIZE_T__ != 8
#error "memelens needs a 64-bit machine: libraries and models are mapped whole, and their sizes are counted in size_t"
#endif

#endif
