/* Signs a customs message (CEBxxxMessage) with the customs certificate of a shield.
 *
 *   cargo build --release -p shared-shield-ffi -p shared-shield-pcsc
 *   cc -o sign_declaration ffi/examples/sign_declaration.c -Iffi/include -Ltarget/release -lshared_shield -Wl,-rpath,"$PWD/target/release"
 *   ./sign_declaration /usr/lib/softhsm/libsofthsm2.so CEB621.xml CEB621.signed.xml [profile.toml]
 *
 * With - in place of the module it looks at the computer's readers (PC/SC).
 * The PIN is read from the terminal, or from standard input when that is none.
 */
#include <stdio.h>
#include <string.h>

#include "shared_shield.h"

/* Shows what will be signed and asks for the PIN. A program with windows opens a dialog here; one at a terminal turns the
 * echo off (termios on Unix, SetConsoleMode on Windows). */
static uint32_t SHIELD_CALL ask(void *userdata, const shield_pin_question *question, uint8_t *pin, size_t capacity,
                                size_t *length) {
    (void)userdata;
    fprintf(stderr, "To be signed: %s\nCustoms PIN: ", question->summary);
    if (question->tries == SHIELD_TRIES_KNOWN) fprintf(stderr, "(%u tries left) ", (unsigned)question->tries_left);
    for (*length = 0; *length < capacity; ++*length) {
        int octet = getchar();
        if (octet == '\n' || octet == EOF) break;
        pin[*length] = (uint8_t)octet;
    }
    return *length > 0 ? SHIELD_PIN_TYPED : SHIELD_PIN_DECLINED;
}

/* Says what went wrong and what to do now, and gives the exit code. */
static int failed(shield_error *error) {
    char message[2048];
    if (shield_error_text(error, SHIELD_ERROR_MESSAGE, message, sizeof message, NULL) != SHIELD_OK)
        strcpy(message, "An error that is too long to show.");
    fprintf(stderr, "%s\n", message);
    shield_error_free(error);
    return 1;
}

static shield_text text(const char *octets) {
    shield_text view;
    view.data = octets;
    view.length = octets ? strlen(octets) : 0;
    return view;
}

int main(int argc, char **argv) {
    shield_scan_options options = {0};
    shield_request request = {0};
    shield_pin pin = {0};
    shield_text module;
    shield_scan *scan = NULL;
    shield_device *device = NULL;
    shield_receipt *receipt = NULL;
    shield_error *error = NULL;
    char number[128] = "", suite[32] = "";
    int code = 0;

    if (argc != 4 && argc != 5) {
        fprintf(stderr, "usage: %s MODULE|- IN OUT [PROFILE]\n", argv[0]);
        return 2;
    }
    module = text(argv[1]);
    options.struct_size = sizeof options;
    options.modules.data = &module;
    options.modules.count = strcmp(argv[1], "-") != 0; /* no module: the computer's readers */
    options.profile_path = text(argc == 5 ? argv[4] : NULL);
    request.struct_size = sizeof request;
    request.format = SHIELD_FORMAT_DECLARATION; /* the format has its role: customs */
    request.document_path = text(argv[2]);
    options.wait_ms = request.wait_ms = 60000; /* a minute for slow drivers; typing does not count */
    pin.struct_size = sizeof pin;
    pin.ask = ask;

    if (shield_scan_new(&options, &scan, &error) != SHIELD_OK || shield_open(scan, NULL, &device, &error) != SHIELD_OK ||
        shield_sign_file(device, &request, &pin, argv[3], strlen(argv[3]), &receipt, &error) != SHIELD_OK) {
        code = failed(error);
    } else {
        shield_receipt_text(receipt, SHIELD_RECEIPT_NUMBER, number, sizeof number, NULL);
        shield_receipt_text(receipt, SHIELD_RECEIPT_SUITE, suite, sizeof suite, NULL);
        printf("%s: signed with certificate %s, %s\n", argv[3], number, suite);
    }
    shield_receipt_free(receipt); /* NULL is refused and harmless */
    shield_device_free(device);
    shield_scan_free(scan);
    return code;
}
