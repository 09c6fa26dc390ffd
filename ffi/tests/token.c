/* A shield with two certificates, each under its own PIN: list, choose, sign, batch, and what is refused.
 *
 *   token MODULE PROFILE CUSTOMS-PIN BANK-PIN DECLARATION JSON-179 FOLDER
 */
#include <pthread.h>

#include "check.h"

static shield_scan *scan;
static shield_device *device;
static shield_credential *customs, *bank;
static const char *customs_pin, *bank_pin, *declaration, *json_179, *folder;

static shield_pin pin_of(const char *digits) {
    shield_pin pin = {sizeof pin};
    pin.octets.data = (const uint8_t *)digits;
    pin.octets.length = strlen(digits);
    return pin;
}

static shield_request raw(uint32_t role) {
    shield_request request = {.struct_size = sizeof request, .wait_ms = WAIT};
    request.format = SHIELD_FORMAT_RAW;
    request.role = role;
    request.document.data = (const uint8_t *)"order 4711";
    request.document.length = 10;
    return request;
}

static void list_and_choose(const char *module, const char *profile) {
    shield_text modules[1];
    shield_scan_options options = {.struct_size = sizeof options, .wait_ms = WAIT};
    shield_selector selector = {sizeof selector};
    shield_device *same = NULL;
    shield_error *error = NULL;
    char fingerprint[65], text[512];
    size_t count = 0, i;
    int64_t value = 0, before = 0, after = 0, serving = 0;

    modules[0] = text_of(module);
    options.modules.data = modules;
    options.modules.count = 1;
    options.profile_path = text_of(profile);
    CODE(shield_scan_new(&options, &scan, &error), SHIELD_OK);
    CODE(shield_scan_count(scan, &count), SHIELD_OK);
    CHECK(count == 1);
    CODE(shield_open(scan, NULL, &device, &error), SHIELD_OK);
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

    selector.role = SHIELD_ROLE_CUSTOMS;
    CODE(shield_device_credential(device, &selector, &customs, &error), SHIELD_OK);
    selector.role = SHIELD_ROLE_BANK;
    CODE(shield_device_credential(device, &selector, &bank, &error), SHIELD_OK);
    CODE(shield_credential_number(bank, SHIELD_CREDENTIAL_ROLE, &value), SHIELD_OK);
    CHECK(value == SHIELD_ROLE_BANK);
    CODE(shield_credential_text(bank, SHIELD_CREDENTIAL_FINGERPRINT, fingerprint, sizeof fingerprint, NULL), SHIELD_OK);
    CODE(shield_credential_text(bank, SHIELD_CREDENTIAL_NUMBER, text, sizeof text, NULL), SHIELD_OK);
    CHECK(strlen(text) >= 2 && strlen(text) % 2 == 0);

    selector.role = 0;
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

/* Verifies with the pinned certificate of a role: plainly valid, or not. */
static int64_t verdict(const shield_verify_options *how, shield_credential *of, shield_octets document, shield_octets value) {
    shield_verify_options options = *how;
    shield_bytes *der = NULL;
    shield_report *report = NULL;
    static uint8_t certificate[8192];
    char fingerprint[65];
    shield_text pins[1];
    size_t length = 0;
    int64_t answer = -1;
    CODE(shield_credential_certificate(of, &der), SHIELD_OK);
    CODE(shield_bytes_copy(der, certificate, sizeof certificate, &length), SHIELD_OK);
    CODE(shield_bytes_free(der), SHIELD_OK);
    CODE(shield_credential_text(of, SHIELD_CREDENTIAL_FINGERPRINT, fingerprint, sizeof fingerprint, NULL), SHIELD_OK);
    pins[0] = text_of(fingerprint);
    options.pinned.data = pins;
    options.pinned.count = 1;
    options.certificate.data = certificate;
    options.certificate.length = length;
    options.document = document;
    options.signature = value;
    if (shield_verify(&options, &report, NULL) != SHIELD_OK) return -1;
    CODE(shield_report_number(report, SHIELD_REPORT_VERDICT, &answer), SHIELD_OK);
    CODE(shield_report_free(report), SHIELD_OK);
    return answer;
}

static shield_octets copied(shield_bytes *bytes) {
    shield_octets view = {NULL, 0};
    size_t length = 0, needed = 0;
    uint8_t *octets;
    CODE(shield_bytes_length(bytes, &length), SHIELD_OK);
    CODE(shield_bytes_copy(bytes, NULL, 0, &needed), SHIELD_ERR_BUFFER_TOO_SHORT);
    CHECK(needed == length && length > 0);
    octets = malloc(length ? length : 1);
    CODE(shield_bytes_copy(bytes, octets, length - 1, &needed), SHIELD_ERR_BUFFER_TOO_SHORT);
    CODE(shield_bytes_copy(bytes, octets, length, &needed), SHIELD_OK);
    CODE(shield_bytes_free(bytes), SHIELD_OK);
    view.data = octets;
    view.length = length;
    return view;
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

/* A text for the person with a control character is refused before anybody is asked. */
static void shown_text(void) {
    shield_request request = raw(SHIELD_ROLE_BANK);
    shield_pin pin = pin_of(bank_pin);
    shield_bytes *signed_bytes = NULL;
    shield_receipt *receipt = NULL;
    request.shown = text_of("pay\x1b[2J nothing");
    CODE(shield_sign(device, &request, &pin, &signed_bytes, &receipt, NULL), SHIELD_ERR_DISPLAY_TEXT);
    CHECK(signed_bytes == NULL && receipt == NULL);
}

/* A customs request cannot be made on the bank credential or the reverse. */
static void roles(void) {
    shield_request request = {.struct_size = sizeof request, .wait_ms = WAIT}, other = raw(SHIELD_ROLE_BANK);
    shield_unlock_options unlock = {.struct_size = sizeof unlock, .wait_ms = WAIT};
    shield_selector selector = {sizeof selector};
    shield_pin pin = pin_of(bank_pin);
    shield_batch *batch = NULL;
    shield_bytes *signed_bytes = NULL;
    shield_receipt *receipt = NULL;
    shield_error *error = NULL;
    int64_t left = 0;
    request.format = SHIELD_FORMAT_DECLARATION;
    request.document_path = text_of(declaration);
    request.credential = bank;
    CODE(shield_sign(device, &request, &pin, &signed_bytes, &receipt, &error), SHIELD_ERR_ROLE_MISMATCH);
    CHECK(error_number(error, SHIELD_ERROR_ROLE) == SHIELD_ROLE_CUSTOMS);
    CODE(shield_error_free(error), SHIELD_OK);
    request.credential = NULL;
    request.role = SHIELD_ROLE_BANK;
    CODE(shield_sign(device, &request, &pin, &signed_bytes, &receipt, NULL), SHIELD_ERR_ROLE_MISMATCH);
    request.role = 0;
    selector.role = SHIELD_ROLE_BANK;
    request.selector = &selector;
    CODE(shield_sign(device, &request, &pin, &signed_bytes, &receipt, NULL), SHIELD_ERR_ROLE_MISMATCH);
    request.selector = NULL;
    other.credential = customs;
    CODE(shield_sign(device, &other, &pin, &signed_bytes, &receipt, NULL), SHIELD_ERR_ROLE_MISMATCH);
    other.credential = bank;

    unlock.role = SHIELD_ROLE_BANK;
    unlock.credential = customs;
    CODE(shield_unlock(device, &unlock, &pin, &batch, NULL), SHIELD_ERR_ROLE_MISMATCH);
    unlock.credential = bank;
    unlock.signatures = 2;
    CODE(shield_unlock(device, &unlock, &pin, &batch, NULL), SHIELD_OK);
    CODE(shield_batch_sign(batch, &request, &signed_bytes, &receipt, &error), SHIELD_ERR_ROLE_MISMATCH);
    CODE(shield_error_free(error), SHIELD_OK);
    CHECK(signed_bytes == NULL && receipt == NULL);
    CODE(shield_batch_sign(batch, &other, &signed_bytes, &receipt, NULL), SHIELD_OK);
    CODE(shield_bytes_free(signed_bytes), SHIELD_OK);
    CODE(shield_receipt_free(receipt), SHIELD_OK);
    CODE(shield_batch_number(batch, SHIELD_BATCH_SIGNATURES_LEFT, &left), SHIELD_OK);
    CHECK(left == 1);
    CODE(shield_batch_end(batch), SHIELD_OK);
}

struct dialog {
    int asked;
    uint32_t answer;
    const char *digits;
    size_t claimed;
    uint32_t role, tries, also;
    char summary[256];
};

static uint32_t dialog(void *userdata, const shield_pin_question *question, uint8_t *buffer, size_t capacity, size_t *length) {
    struct dialog *d = userdata;
    uint32_t abi = 0;
    CHECK(question->struct_size >= sizeof *question && capacity == SHIELD_PIN_MAX);
    CHECK(strlen(question->summary) == question->summary_length);
    CODE(shield_abi_version(&abi), SHIELD_OK); /* the library may be called from here */
    d->asked++;
    d->role = question->role;
    d->tries = question->tries;
    d->also = question->also_opens;
    snprintf(d->summary, sizeof d->summary, "%s", question->summary);
    memcpy(buffer, d->digits, strlen(d->digits));
    *length = d->claimed ? d->claimed : strlen(d->digits);
    return d->answer;
}

static void dialogs(void) {
    shield_request request = raw(SHIELD_ROLE_BANK);
    struct dialog d = {0, SHIELD_PIN_TYPED, "", 0, 0, 0, 0, ""};
    shield_pin pin = {sizeof pin};
    shield_bytes *signed_bytes = NULL;
    shield_receipt *receipt = NULL;
    shield_error *error = NULL;
    pin.ask = dialog;
    pin.userdata = &d;
    d.digits = bank_pin;
    request.shown = text_of("\xe4\xbb\x98\xe6\xac\xbe 100.00");
    CODE(shield_sign(device, &request, &pin, &signed_bytes, &receipt, NULL), SHIELD_OK);
    CHECK(d.asked == 1 && d.role == SHIELD_ROLE_BANK && d.also == 0 && d.tries == SHIELD_TRIES_UNKNOWN);
    CHECK(strcmp(d.summary, "\xe4\xbb\x98\xe6\xac\xbe 100.00") == 0);
    CODE(shield_bytes_free(signed_bytes), SHIELD_OK);
    CODE(shield_receipt_free(receipt), SHIELD_OK);

    d.answer = SHIELD_PIN_DECLINED;
    CODE(shield_sign(device, &request, &pin, &signed_bytes, &receipt, NULL), SHIELD_ERR_PIN_DECLINED);
    d.answer = SHIELD_PIN_TYPED;
    d.claimed = 4000;
    CODE(shield_sign(device, &request, &pin, &signed_bytes, &receipt, NULL), SHIELD_ERR_PIN_LENGTH);
    d.claimed = 0;
    d.digits = "";
    CODE(shield_sign(device, &request, &pin, &signed_bytes, &receipt, NULL), SHIELD_ERR_PIN_EMPTY);
    d.digits = "12\n4";
    CODE(shield_sign(device, &request, &pin, &signed_bytes, &receipt, NULL), SHIELD_ERR_PIN_ENCODING);
    CHECK(d.asked == 5);
    request.document.data = NULL;
    request.document.length = 0;
    request.document_path = text_of("/no/such/document");
    CODE(shield_sign(device, &request, &pin, &signed_bytes, &receipt, NULL), SHIELD_ERR_INPUT_FAILED);
    CHECK(d.asked == 5); /* a bad document never costs a try */

    /* A wrong PIN: its own code, who is concerned, what to do; and it is not sent again. */
    request = raw(SHIELD_ROLE_BANK);
    d.digits = "111111111111";
    CODE(shield_sign(device, &request, &pin, &signed_bytes, &receipt, &error), SHIELD_ERR_PIN_INCORRECT);
    CHECK(error_number(error, SHIELD_ERROR_ROLE) == SHIELD_ROLE_BANK);
    CHECK(error_number(error, SHIELD_ERROR_RECOVERY) == SHIELD_RECOVERY_ENTER_PIN);
    CHECK(error_number(error, SHIELD_ERROR_TRIES) == SHIELD_TRIES_UNKNOWN_AFTER_REFUSAL);
    CHECK(error_number(error, SHIELD_ERROR_CORRELATION) > 0);
    CHECK(error_says(error, SHIELD_ERROR_STATUS, "CKR_PIN_INCORRECT"));
    CHECK(error_says(error, SHIELD_ERROR_OPERATION, "C_Login"));
    CHECK(!strstr("111111111111", "SH") && error_says(error, SHIELD_ERROR_MESSAGE, "bank PIN is wrong"));
    CODE(shield_error_free(error), SHIELD_OK);
    d.digits = bank_pin;
    CODE(shield_sign(device, &request, &pin, &signed_bytes, &receipt, NULL), SHIELD_ERR_TRIES_UNKNOWN);
    request.consent = SHIELD_CONSENT_AFTER_REFUSAL;
    CODE(shield_sign(device, &request, &pin, &signed_bytes, &receipt, NULL), SHIELD_OK);
    CODE(shield_bytes_free(signed_bytes), SHIELD_OK);
    CODE(shield_receipt_free(receipt), SHIELD_OK);
}

#define THREADS 4
#define EACH_THREAD 10
static shield_batch *shared;
static shield_bytes *made[THREADS * EACH_THREAD];

static void *sign_many(void *first) {
    shield_request request = raw(SHIELD_ROLE_CUSTOMS);
    int i;
    for (i = 0; i < EACH_THREAD; i++) {
        shield_receipt *receipt = NULL;
        if (shield_batch_sign(shared, &request, (shield_bytes **)first + i, &receipt, NULL) != SHIELD_OK) return "failed";
        if (shield_receipt_free(receipt) != SHIELD_OK) return "not freed";
    }
    return NULL;
}

static void *free_many(void *first) {
    int i;
    for (i = 0; i < EACH_THREAD; i++)
        if (shield_bytes_free(((shield_bytes **)first)[i]) != SHIELD_OK) return "not freed";
    return NULL;
}

static void each_thread(void *(*work)(void *)) {
    pthread_t threads[THREADS];
    void *answer;
    int i;
    for (i = 0; i < THREADS; i++) CHECK(pthread_create(threads + i, NULL, work, made + i * EACH_THREAD) == 0);
    for (i = 0; i < THREADS; i++) {
        pthread_join(threads[i], &answer);
        CHECK(answer == NULL);
    }
}

static void threads_share_a_batch(void) {
    shield_unlock_options unlock = {.struct_size = sizeof unlock, .wait_ms = WAIT};
    shield_pin pin = pin_of(customs_pin);
    shield_verify_options how = {sizeof how};
    shield_request request = raw(SHIELD_ROLE_CUSTOMS);
    int64_t left = 0;
    int i;
    unlock.role = SHIELD_ROLE_CUSTOMS;
    CODE(shield_unlock(device, &unlock, &pin, &shared, NULL), SHIELD_OK);
    each_thread(sign_many);
    CODE(shield_batch_number(shared, SHIELD_BATCH_SIGNATURES_LEFT, &left), SHIELD_OK);
    CHECK(left == 5000 - THREADS * EACH_THREAD);
    how.format = SHIELD_FORMAT_RAW;
    for (i = 0; i < THREADS * EACH_THREAD; i += 8) {
        uint8_t octets[1024];
        shield_octets value = {octets, 0};
        CODE(shield_bytes_copy(made[i], octets, sizeof octets, &value.length), SHIELD_OK);
        CHECK(verdict(&how, customs, request.document, value) == SHIELD_VERDICT_VALID);
    }
    each_thread(free_many); /* by threads that did not make them */
    CODE(shield_batch_end(shared), SHIELD_OK);
    CODE(shield_batch_sign(shared, &request, made, NULL, NULL), SHIELD_ERR_NULL_POINTER);
}

int main(int argc, char **argv) {
    if (argc != 8) return 2;
    customs_pin = argv[3], bank_pin = argv[4], declaration = argv[5], json_179 = argv[6], folder = argv[7];
    list_and_choose(argv[1], argv[2]);
    one_signature(SHIELD_ROLE_CUSTOMS, customs_pin, customs);
    one_signature(SHIELD_ROLE_BANK, bank_pin, bank);
    into_files();
    payment_179();
    payments();
    shown_text();
    roles();
    threads_share_a_batch();
    dialogs();
    CODE(shield_credential_free(customs), SHIELD_OK);
    CODE(shield_credential_free(bank), SHIELD_OK);
    CODE(shield_device_free(device), SHIELD_OK);
    CODE(shield_scan_free(scan), SHIELD_OK);
    return finish("token");
}
