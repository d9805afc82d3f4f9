/* What is done to a text before CLIP's BPE sees it. */
#ifndef LENS_TEXT_CLIP_TEXT_H
#define LENS_TEXT_CLIP_TEXT_H

#include "text/unicode_text.h"

/* Hugging Face's CLIPTokenizer: composed (NFC), each run of white space one blank, lower case character by character. */
int lens_clip_clean(lens_points *points);

/* OpenCLIP's SimpleTokenizer with its default "lower": repaired as ftfy does it, HTML references resolved twice, stripped, each run of
 * white space one blank, lower case as Python has it. Of ftfy's repairs the one for text that was decoded with the wrong encoding
 * ("â€™" for "’") is left out. */
int lens_openclip_clean(lens_points *points);

#endif
