/* What of the file system a drawing's decoder can see: fonts, and what finds them. */
#ifndef LENS_PIXELS_READ_ONLY_H
#define LENS_PIXELS_READ_ONLY_H

/* From here on, and for good, this thread opens files to read only, and only those of the system's programs and the fonts of the system and the person. Where
 * the kernel has no Landlock nothing changes. Wants no_new_privs. */
void lens_read_only_fonts(void);

#endif
