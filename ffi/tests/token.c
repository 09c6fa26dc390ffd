/* A shield with two certificates, each under its own PIN: list, choose, sign in each format, verify.
 *
 *   token MODULE PROFILE CUSTOMS-PIN BANK-PIN DECLARATION JSON-179 FOLDER
 */
#include "desk.h"

static const char *customs_pin, *bank_pin, *declaration, *json_179, *folder;

static void list_and_choose(void) {
    shield_selector selector = {sizeof selector};
    shield_device *same = NULL;
    shield_error *error = NULL;
    char fingerprint[65], text[512];
    size_t count = 0, i;
    int64_t value = 0, before = 0, after = 0, serving = 0;

    CODE(shield_scan_count(scan, &count), SHIELD_OK);
    CHECK(count == 1);
    CODE(shield_device_text(device, SHIELD_DEVICE_SERIAL, text, sizeof text, NULL), SHIELD_OK);
    CHECK(text[0] != 0);

    CODE(shield_device_credential_count(device, &count), SHIELD_OK);
    CHECK(count == 2);
    for (i = 0; i < count; i++) {
        shield_credential *one = NULL;
        CODE(shield_device_credential_at(device, i, &one), SHIELD_OK);
        CODE(shield_credential_number(one, SHIELD_CREDENTIAL_STANDING, &value), SHIELD_OK);
        serving += value == SHIELD_STANDING_SERVES;
        CODE(shield_credential_number(one, SHIELD_CREDENTIAL_NOT_BEFORE, &before), SHIELD_OK);
        CODE(shield_credential_number(one, SHIELD_CREDENTIAL_NOT_AFTER, &after), SHIELD_OK);
        CHECK(before > 1600000000 && before < after);
        CODE(shield_credential_free(one), SHIELD_OK);
    }
    CHECK(serving == 2);

    CODE(shield_credential_number(customs, SHIELD_CREDENTIAL_ROLE, &value), SHIELD_OK);
    CHECK(value == SHIELD_ROLE_CUSTOMS);
    CODE(shield_credential_number(bank, SHIELD_CREDENTIAL_ROLE, &value), SHIELD_OK);
    CHECK(value == SHIELD_ROLE_BANK);
    CODE(shield_credential_text(bank, SHIELD_CREDENTIAL_FINGERPRINT, fingerprint, sizeof fingerprint, NULL), SHIELD_OK);
    CODE(shield_credential_text(bank, SHIELD_CREDENTIAL_NUMBER, text, sizeof text, NULL), SHIELD_OK);
    CHECK(strlen(text) >= 2 && strlen(text) % 2 == 0);

    selector.fingerprint = text_of(fingerprint);
    CODE(shield_open(scan, &selector, &same, &error), SHIELD_OK);
    CODE(shield_device_free(same), SHIELD_OK);
    selector.fingerprint = text_of("0000000000000000000000000000000000000000000000000000000000000000");
    same = NULL;
    CHECK(shield_open(scan, &selector, &same, &error) != SHIELD_OK);
    CHECK(same == NULL && error != NULL);
    CODE(shield_error_free(error), SHIELD_OK);
    selector.fingerprint = text_of("not hex");
    CODE(shield_open(scan, &selector, &same, NULL), SHIELD_ERR_ARGUMENT);
}

static void one_signature(uint32_t role, const char *digits, shield_credential *of) {
    shield_request request = raw(role);
    shield_verify_options how = {sizeof how};
    shield_pin pin = pin_of(digits);
    shield_bytes *signed_bytes = NULL;
    shield_receipt *receipt = NULL;
    shield_octets value, none = {NULL, 0};
    char text[256];
    int64_t number = 0;
    request.shown = text_of("pay 100.00 to the customs office");
    CODE(shield_sign(device, &request, &pin, &signed_bytes, &receipt, NULL), SHIELD_OK);
    CODE(shield_receipt_number(receipt, SHIELD_RECEIPT_ROLE, &number), SHIELD_OK);
    CHECK(number == (int64_t)role);
    CODE(shield_receipt_number(receipt, SHIELD_RECEIPT_TIME, &number), SHIELD_OK);
    CHECK(number > 1600000000);
    CODE(shield_receipt_number(receipt, SHIELD_RECEIPT_TRIES, &number), SHIELD_OK);
    CHECK(number == SHIELD_TRIES_UNKNOWN);
    CODE(shield_receipt_text(receipt, SHIELD_RECEIPT_SUITE, text, sizeof text, NULL), SHIELD_OK);
    CHECK(strcmp(text, "rsa-sha256") == 0);
    CODE(shield_receipt_text(receipt, SHIELD_RECEIPT_DIGEST, text, sizeof text, NULL), SHIELD_OK);
    CHECK(strlen(text) == 64);
    CODE(shield_receipt_text(receipt, SHIELD_RECEIPT_DOOR, text, sizeof text, NULL), SHIELD_OK);
    CHECK(text[0] != 0);
    CODE(shield_receipt_free(receipt), SHIELD_OK);
    value = copied(signed_bytes);
    how.format = SHIELD_FORMAT_RAW;
    CHECK(verdict(&how, of, request.document, value) == SHIELD_VERDICT_VALID);
    ((uint8_t *)value.data)[9] ^= 1;
    CHECK(verdict(&how, of, request.document, value) == SHIELD_VERDICT_INVALID);
    CHECK(verdict(&how, of, request.document, none) != SHIELD_VERDICT_VALID);
    free((void *)value.data);
}

static void into_files(void) {
    shield_request request = {.struct_size = sizeof request, .wait_ms = WAIT};
    shield_verify_options how = {sizeof how};
    shield_pin pin = pin_of(customs_pin);
    shield_receipt *receipt = NULL;
    shield_error *error = NULL;
    shield_octets none = {NULL, 0}, document;
    char path[1024];
    int64_t notes = 0;
    size_t length;
    request.format = SHIELD_FORMAT_DECLARATION;
    request.document_path = text_of(declaration);
    snprintf(path, sizeof path, "%s/signed.xml", folder);
    CODE(shield_sign_file(device, &request, &pin, path, strlen(path), &receipt, &error), SHIELD_OK);
    CODE(shield_receipt_number(receipt, SHIELD_RECEIPT_NOTES, &notes), SHIELD_OK);
    CHECK(notes > 0);
    CODE(shield_receipt_note(receipt, 0, SHIELD_LANGUAGE_ZH, path, 1, NULL), SHIELD_ERR_BUFFER_TOO_SHORT);
    CODE(shield_receipt_free(receipt), SHIELD_OK);
    document.data = read_file(folder, "signed.xml", &length);
    document.length = length;
    how.format = SHIELD_FORMAT_DECLARATION;
    CHECK(verdict(&how, customs, document, none) == SHIELD_VERDICT_VALID);
    free((void *)document.data);

    /* Nothing half written, and what was there stays. */
    snprintf(path, sizeof path, "%s/signed.xml", folder);
    receipt = NULL;
    request.document_path = text_of(path);
    CODE(shield_sign_file(device, &request, &pin, path, strlen(path), &receipt, &error), SHIELD_ERR_DOCUMENT_SIGNED);
    CODE(shield_error_free(error), SHIELD_OK);
    document.data = read_file(folder, "signed.xml", &length);
    CHECK(length == document.length);
    free((void *)document.data);
    request.document_path = text_of("/no/such/file.xml");
    CODE(shield_sign_file(device, &request, &pin, path, strlen(path), &receipt, NULL), SHIELD_ERR_INPUT_FAILED);
    request.document_path = text_of(declaration);
    CODE(shield_sign_file(device, &request, &pin, "/no/such/folder/x", 17, &receipt, NULL), SHIELD_ERR_OUTPUT_FAILED);
    CHECK(receipt == NULL);
}

static void payment_179(void) {
    shield_request request = {.struct_size = sizeof request, .wait_ms = WAIT};
    shield_pin pin = pin_of(customs_pin);
    shield_bytes *signed_bytes = NULL;
    shield_receipt *receipt = NULL;
    shield_octets value;
    request.format = SHIELD_FORMAT_PAYMENT_179;
    request.document_path = text_of(json_179);
    CODE(shield_sign(device, &request, &pin, &signed_bytes, &receipt, NULL), SHIELD_OK);
    CODE(shield_receipt_free(receipt), SHIELD_OK);
    value = copied(signed_bytes);
    CHECK(value.length > 400 && memcmp(value.data, "{\"", 2) == 0);
    free((void *)value.data);
    request.variant = SHIELD_179_SIGNATURE;
    CODE(shield_sign(device, &request, &pin, &signed_bytes, &receipt, NULL), SHIELD_OK);
    CODE(shield_receipt_free(receipt), SHIELD_OK);
    value = copied(signed_bytes);
    CHECK(value.length == 344);
    free((void *)value.data);
}

/* CMS over an order: attached, detached, with and without attributes, DER and PEM. */
static void payments(void) {
    static const char order[] = "Pay 100.00 CNY to TEST ACCOUNT 1";
    uint32_t variant;
    for (variant = 0; variant < 8; variant++) {
        shield_request request = {.struct_size = sizeof request, .wait_ms = WAIT};
        shield_verify_options how = {sizeof how};
        shield_pin pin = pin_of(bank_pin);
        shield_bytes *signed_bytes = NULL;
        shield_receipt *receipt = NULL;
        shield_octets message, none = {NULL, 0}, document;
        int detached = variant & SHIELD_CMS_DETACHED;
        int64_t role = 0;
        request.format = how.format = SHIELD_FORMAT_PAYMENT;
        request.variant = variant;
        request.document.data = (const uint8_t *)order;
        request.document.length = strlen(order);
        request.shown = text_of(order);
        CODE(shield_sign(device, &request, &pin, &signed_bytes, &receipt, NULL), SHIELD_OK);
        CODE(shield_receipt_number(receipt, SHIELD_RECEIPT_ROLE, &role), SHIELD_OK);
        CHECK(role == SHIELD_ROLE_BANK);
        CODE(shield_receipt_free(receipt), SHIELD_OK);
        message = copied(signed_bytes);
        CHECK(!!(variant & SHIELD_CMS_PEM) == (memcmp(message.data, "-----BEGIN CMS-----", 19) == 0));
        document = detached ? request.document : message;
        CHECK(verdict(&how, bank, document, detached ? message : none) == SHIELD_VERDICT_VALID);
        CHECK(verdict(&how, customs, document, detached ? message : none) != SHIELD_VERDICT_VALID);
        free((void *)message.data);
    }
}

int main(int argc, char **argv) {
    if (argc != 8) return 2;
    customs_pin = argv[3], bank_pin = argv[4], declaration = argv[5], json_179 = argv[6], folder = argv[7];
    open_desk(argv[1], argv[2]);
    list_and_choose();
    one_signature(SHIELD_ROLE_CUSTOMS, customs_pin, customs);
    one_signature(SHIELD_ROLE_BANK, bank_pin, bank);
    into_files();
    payment_179();
    payments();
    close_desk();
    return finish("token");
}
