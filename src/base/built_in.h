/* Files that are built into the program: NAME_begin to NAME_end are the bytes of the file at PATH. */
#ifndef LENS_BASE_BUILT_IN_H
#define LENS_BASE_BUILT_IN_H

#define LENS_BUILT_IN(name, path) \
    __asm__(".section .rodata\n.global " #name "_begin, " #name "_end\n" #name "_begin:\n.incbin \"" path "\"\n" #name "_end:\n.byte 0\n.previous\n"); \
    extern const char name##_begin[], name##_end[];

#endif
