/* What the C tests share: counted checks, a text getter, a file reader. */
#ifndef CHECK_H
#define CHECK_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shared_shield.h"

/* Two minutes: under valgrind on a busy machine everything takes long, and no test is about time. */
#define WAIT 120000

static int checks, failures;

#define CHECK(condition)                                                         \
    do {                                                                         \
        checks++;                                                                \
        if (!(condition)) {                                                      \
            failures++;                                                          \
            printf("FAIL %s:%d: %s\n", __FILE__, __LINE__, #condition);          \
        }                                                                        \
    } while (0)

/* The result code of a call, shown when it is another. */
#define CODE(call, wanted)                                                       \
    do {                                                                         \
        uint32_t code_ = (call);                                                 \
        checks++;                                                                \
        if (code_ != (uint32_t)(wanted)) {                                       \
            failures++;                                                          \
            printf("FAIL %s:%d: %s is 0x%04X, not %s\n", __FILE__, __LINE__,     \
                   #call, (unsigned)code_, #wanted);                             \
        }                                                                        \
    } while (0)

/* As CODE; and when the call gave what it had to, its name is said behind a word: a test compares these lines with the list of
 * exported functions. */
#define SAY(word, name, arguments, wanted)                                       \
    do {                                                                         \
        int before_ = failures;                                                  \
        CODE(name arguments, wanted);                                            \
        if (failures == before_) printf("%s %s\n", word, #name);                 \
    } while (0)

static inline shield_text text_of(const char *text) {
    shield_text view = {text, text ? strlen(text) : 0};
    return view;
}

static inline int64_t error_number(const shield_error *error, uint32_t field) {
    int64_t value = -99;
    CODE(shield_error_number(error, field, &value), SHIELD_OK);
    return value;
}

/* Whether a field of an error holds `part`. */
static inline int error_says(const shield_error *error, uint32_t field, const char *part) {
    char text[2048];
    if (shield_error_text(error, field, text, sizeof text, NULL) != SHIELD_OK) return 0;
    if (strstr(text, part)) return 1;
    printf("it says: %s\n", text);
    return 0;
}

/* A whole file, with a NUL behind it; ends the program when it cannot be read. */
static inline uint8_t *read_file(const char *folder, const char *name, size_t *length) {
    char path[1024];
    uint8_t *octets;
    FILE *file;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    file = fopen(path, "rb");
    octets = malloc(1 << 20);
    if (!file || !octets) {
        printf("FAIL cannot read %s\n", path);
        exit(3);
    }
    *length = fread(octets, 1, (1 << 20) - 1, file);
    octets[*length] = 0;
    fclose(file);
    return octets;
}

static inline int finish(const char *name) {
    printf("%s: %d checks, %d failed\n", name, checks, failures);
    return failures != 0;
}

#endif
