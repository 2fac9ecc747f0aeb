/* show FILE.png -- a small picture in a terminal: two pixels to a character,
 * in the terminal's shades of gray. */
#include <png.h>
#include <stdio.h>
#include <stdlib.h>

/* Gray 0 … 255 to one of the 24 gray colors of a terminal. */
static int shade(int gray)
{
    return 232 + gray * 23 / 255;
}

int main(int argc, char **argv)
{
    png_image image = {.version = PNG_IMAGE_VERSION};
    if (argc != 2 || !png_image_begin_read_from_file(&image, argv[1])) {
        fprintf(stderr, "show: %s\n", argc == 2 ? image.message : "usage: show FILE.png");
        return 1;
    }
    image.format = PNG_FORMAT_GRAY;
    unsigned char *pixels = malloc(PNG_IMAGE_SIZE(image));
    if (!pixels || !png_image_finish_read(&image, NULL, pixels, 0, NULL)) {
        fprintf(stderr, "show: %s: %s\n", argv[1], image.message);
        return 1;
    }
    for (unsigned y = 0; y < image.height; y += 2) {
        const unsigned char *top = pixels + y * image.width;
        const unsigned char *bottom = y + 1 < image.height ? top + image.width : top;
        for (unsigned x = 0; x < image.width; x++)
            printf("\033[38;5;%d;48;5;%dm\u2580", shade(top[x]), shade(bottom[x]));
        printf("\033[0m\n");
    }
    free(pixels);
    return 0;
}
