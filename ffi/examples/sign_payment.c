/* Signs a payment order with the bank certificate of a shield: CMS (PKCS#7) with the order inside. The person sees the text
 * of the order before the PIN is typed, and the receipt holds the digest of what was shown.
 *
 *   cargo build --release -p shared-shield-ffi -p shared-shield-pcsc
 *   cc -o sign_payment ffi/examples/sign_payment.c -Iffi/include -Ltarget/release -lshared_shield -Wl,-rpath,"$PWD/target/release"
 *   ./sign_payment /usr/lib/softhsm/libsofthsm2.so "Pay 100.00 CNY to TEST ACCOUNT" order.p7m [profile.toml]
 *   openssl cms -verify -inform DER -in order.p7m -CAfile bank-ca.pem
 *
 * With - in place of the module it looks at the computer's readers (PC/SC).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shared_shield.h"

/* As in sign_declaration.c; `userdata` counts how often the person was asked. */
static uint32_t SHIELD_CALL ask(void *userdata, const shield_pin_question *question, uint8_t *pin, size_t capacity,
                                size_t *length) {
    ++*(int *)userdata;
    fprintf(stderr, "To be signed:\n%s\nBank PIN: ", question->summary);
    if (question->also_opens) fprintf(stderr, "(the same PIN opens the customs certificate) ");
    for (*length = 0; *length < capacity; ++*length) {
        int octet = getchar();
        if (octet == '\n' || octet == EOF) break;
        pin[*length] = (uint8_t)octet;
    }
    return *length > 0 ? SHIELD_PIN_TYPED : SHIELD_PIN_DECLINED;
}

static int failed(shield_error *error) {
    char message[2048];
    int64_t recovery = SHIELD_RECOVERY_NONE;
    if (shield_error_text(error, SHIELD_ERROR_MESSAGE, message, sizeof message, NULL) != SHIELD_OK)
        strcpy(message, "An error that is too long to show.");
    shield_error_number(error, SHIELD_ERROR_RECOVERY, &recovery);
    fprintf(stderr, "%s\n", message);
    if (recovery == SHIELD_RECOVERY_UNLOCK_AT_ISSUER) fprintf(stderr, "Entering the PIN again does not help.\n");
    shield_error_free(error);
    return 1;
}

static shield_text text(const char *octets) {
    shield_text view;
    view.data = octets;
    view.length = octets ? strlen(octets) : 0;
    return view;
}

/* Writes what the library made. The length is asked for first. */
static int store(shield_bytes *bytes, const char *path) {
    size_t length = 0;
    uint8_t *octets;
    FILE *file;
    int good;
    shield_bytes_length(bytes, &length);
    octets = malloc(length);
    good = octets && shield_bytes_copy(bytes, octets, length, NULL) == SHIELD_OK;
    file = good ? fopen(path, "wb") : NULL;
    good = file && fwrite(octets, 1, length, file) == length;
    if (file && fclose(file) != 0) good = 0;
    free(octets);
    return good;
}

int main(int argc, char **argv) {
    shield_scan_options options = {0};
    shield_request request = {0};
    shield_pin pin = {0};
    shield_text module;
    shield_scan *scan = NULL;
    shield_device *device = NULL;
    shield_bytes *message = NULL;
    shield_receipt *receipt = NULL;
    shield_error *error = NULL;
    char shown[128] = "";
    int asked = 0, code = 0;

    if (argc != 4 && argc != 5) {
        fprintf(stderr, "usage: %s MODULE|- ORDER OUT [PROFILE]\n", argv[0]);
        return 2;
    }
    module = text(argv[1]);
    options.struct_size = sizeof options;
    options.modules.data = &module;
    options.modules.count = strcmp(argv[1], "-") != 0; /* no module: the computer's readers */
    options.profile_path = text(argc == 5 ? argv[4] : NULL);
    request.struct_size = sizeof request;
    request.format = SHIELD_FORMAT_PAYMENT; /* the format has its role: bank */
    request.document.data = (const uint8_t *)argv[2];
    request.document.length = strlen(argv[2]);
    request.shown = text(argv[2]);
    options.wait_ms = request.wait_ms = 60000; /* a minute for slow drivers; typing does not count */
    pin.struct_size = sizeof pin;
    pin.ask = ask;
    pin.userdata = &asked;

    if (shield_scan_new(&options, &scan, &error) != SHIELD_OK || shield_open(scan, NULL, &device, &error) != SHIELD_OK ||
        shield_sign(device, &request, &pin, &message, &receipt, &error) != SHIELD_OK) {
        code = failed(error);
    } else if (!store(message, argv[3])) {
        fprintf(stderr, "%s cannot be written\n", argv[3]);
        code = 1;
    } else {
        shield_receipt_text(receipt, SHIELD_RECEIPT_SHOWN, shown, sizeof shown, NULL);
        printf("%s: signed; SHA-256 of what was shown: %s\n", argv[3], shown);
    }
    shield_bytes_free(message); /* NULL is refused and harmless */
    shield_receipt_free(receipt);
    shield_device_free(device);
    shield_scan_free(scan);
    return code;
}
