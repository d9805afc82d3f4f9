/* Text drawn into pictures, in capitals of our own that are drawn with a round pen: no font need be on the machine. */
#ifndef LENS_TESTS_LETTERING_H
#define LENS_TESTS_LETTERING_H

#include "pixels/image.h"

/* A picture of one tone, 0 to 255, or of noise. Free with lens_image_free. */
lens_image test_plain(int width, int height, int tone);
lens_image test_noise(int width, int height, unsigned seed);

/* Draws TEXT (A D E F H I K L M N O R T W and blanks) with letters of HEIGHT pixels, from X, Y on down and to the right, in the grey INK; around
 * the letters a line of the grey OUTLINE, or none when it is negative. What is outside of IMAGE is not drawn. */
void test_letter(lens_image *image, const char *text, int x, int y, int height, int ink, int outline);

/* Saves a picture of 640 x 200 in which TEXT is written as the PNG at PATH. */
void test_letter_file(const char *path, const char *text);

/* Skips the test, saying so, where tesseract or its English is not here. */
void test_need_reader(void);

#endif
