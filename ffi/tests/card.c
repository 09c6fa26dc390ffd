/* A card with two certificates and one PIN in a reader, without any module: list, sign, batch, errors; pulled out between two signatures.
 *
 *   card PROFILE PIN DECLARATION JSON-179 FOLDER
 *
 * Asks for a hand by a file in FOLDER (please-remove, please-insert) and goes on when its answer is there (done-remove, done-insert).
 */
#define _POSIX_C_SOURCE 199309L
#include <pthread.h>
#include <time.h>

#include "desk.h"

static const char *profile, *digits, *declaration, *json_179, *folder;

static void hand(const char *what) {
    static const struct timespec moment = {0, 10000000};
    char path[1024];
    FILE *file;
    int patience = 12000;
    snprintf(path, sizeof path, "%s/please-%s", folder, what);
    file = fopen(path, "w");
    CHECK(file != NULL);
    if (file) fclose(file);
    snprintf(path, sizeof path, "%s/done-%s", folder, what);
    while (!(file = fopen(path, "r")) && patience-- > 0) nanosleep(&moment, NULL);
    CHECK(file != NULL);
    if (file) fclose(file);
}

/* Each certificate is reached by one way, the card's own application, and says how it is found again. */
static void list(void) {
    shield_credential *const both[] = {customs, bank};
    static const char *const places[] = {"/9A/", "/9C/"};
    char text[512], serial[128];
    size_t count = 0;
    int64_t value = 0;
    int i;
    CODE(shield_scan_count(scan, &count), SHIELD_OK);
    CHECK(count == 1);
    CODE(shield_scan_problem_count(scan, &count), SHIELD_OK);
    CHECK(count == 0);
    CODE(shield_device_credential_count(device, &count), SHIELD_OK);
    CHECK(count == 2);
    CODE(shield_device_text(device, SHIELD_DEVICE_SERIAL, serial, sizeof serial, NULL), SHIELD_OK);
    CHECK(serial[0] != 0);
    for (i = 0; i < 2; i++) {
        CODE(shield_credential_number(both[i], SHIELD_CREDENTIAL_STANDING, &value), SHIELD_OK);
        CHECK(value == SHIELD_STANDING_SERVES);
        CODE(shield_credential_number(both[i], SHIELD_CREDENTIAL_ROUTES, &value), SHIELD_OK);
        CHECK(value == 1);
        CODE(shield_credential_route(both[i], 0, SHIELD_ROUTE_DOOR, text, sizeof text, NULL), SHIELD_OK);
        CHECK(memcmp(text, "piv:", 4) == 0 && strcmp(text + 4, serial) == 0);
        CODE(shield_credential_route(both[i], 0, SHIELD_ROUTE_REFERENCE, text, sizeof text, NULL), SHIELD_OK);
        CHECK(memcmp(text, "piv:", 4) == 0 && strstr(text, places[i]) != NULL);
        CODE(shield_credential_route(both[i], 1, SHIELD_ROUTE_DOOR, text, sizeof text, NULL), SHIELD_ERR_ARGUMENT);
        CODE(shield_credential_route(both[i], 0, 9, text, sizeof text, NULL), SHIELD_ERR_ARGUMENT);
    }
}

/* One PIN for both: the dialog says so, and how many tries there are. */
static void declaration_and_payment(void) {
    static const char order[] = "Pay 100.00 CNY to TEST ACCOUNT 1";
    shield_request request = {.struct_size = sizeof request, .wait_ms = WAIT};
    struct asked a = {0, digits, 0, 0, 0, 0};
    shield_pin pin = {.struct_size = sizeof pin, .ask = ask, .userdata = &a};
    shield_receipt *receipt = NULL;
    shield_bytes *signed_bytes = NULL;
    shield_octets document;
    char text[256];
    request.format = SHIELD_FORMAT_DECLARATION;
    request.document_path = text_of(declaration);
    receipt = signs_file(&request, &pin, folder, "signed.xml", customs, bank);
    CHECK(a.times == 1 && a.role == SHIELD_ROLE_CUSTOMS && a.also == SHIELD_ROLE_BANK);
    CHECK(a.tries == SHIELD_TRIES_KNOWN && a.left == 3);
    CODE(shield_receipt_text(receipt, SHIELD_RECEIPT_DOOR, text, sizeof text, NULL), SHIELD_OK);
    CHECK(memcmp(text, "piv:", 4) == 0);
    CODE(shield_receipt_free(receipt), SHIELD_OK);

    request.format = SHIELD_FORMAT_PAYMENT;
    request.document_path.data = NULL, request.document_path.length = 0;
    request.document.data = (const uint8_t *)order;
    request.document.length = strlen(order);
    request.shown = text_of(order);
    receipt = signs_file(&request, &pin, folder, "order.p7m", bank, customs);
    CHECK(a.times == 2 && a.role == SHIELD_ROLE_BANK && a.also == SHIELD_ROLE_CUSTOMS);
    CODE(shield_receipt_free(receipt), SHIELD_OK);

    request = (shield_request){.struct_size = sizeof request, .wait_ms = WAIT, .format = SHIELD_FORMAT_PAYMENT_179};
    request.document_path = text_of(json_179);
    CODE(shield_sign(device, &request, &pin, &signed_bytes, &receipt, NULL), SHIELD_OK);
    CODE(shield_receipt_free(receipt), SHIELD_OK);
    document = copied(signed_bytes);
    CHECK(document.length > 200 && memcmp(document.data, "{\"", 2) == 0);
    free((void *)document.data);
}

/* A signature of the batch that its certificate accepts. */
static void signs(shield_batch *batch) {
    shield_request request = raw(SHIELD_ROLE_CUSTOMS);
    shield_verify_options how = {.struct_size = sizeof how, .format = SHIELD_FORMAT_RAW};
    shield_bytes *signed_bytes = NULL;
    shield_receipt *receipt = NULL;
    shield_octets value;
    CODE(shield_batch_sign(batch, &request, &signed_bytes, &receipt, NULL), SHIELD_OK);
    CODE(shield_receipt_free(receipt), SHIELD_OK);
    value = copied(signed_bytes);
    CHECK(verdict(&how, customs, request.document, value) == SHIELD_VERDICT_VALID);
    ((uint8_t *)value.data)[9] ^= 1;
    CHECK(verdict(&how, customs, request.document, value) == SHIELD_VERDICT_INVALID);
    free((void *)value.data);
}

static shield_batch *shared;

static void *sign_many(void *unused) {
    shield_request request = raw(SHIELD_ROLE_CUSTOMS);
    int i;
    (void)unused;
    for (i = 0; i < 10; i++) {
        shield_bytes *signed_bytes = NULL;
        shield_receipt *receipt = NULL;
        if (shield_batch_sign(shared, &request, &signed_bytes, &receipt, NULL) != SHIELD_OK) return "failed";
        if (shield_bytes_free(signed_bytes) != SHIELD_OK || shield_receipt_free(receipt) != SHIELD_OK) return "not freed";
    }
    return NULL;
}

/* Two threads share the card; then it is pulled out between two signatures, and put back. */
static void batch(void) {
    shield_unlock_options unlock = {.struct_size = sizeof unlock, .wait_ms = WAIT, .role = SHIELD_ROLE_CUSTOMS};
    shield_request request = raw(SHIELD_ROLE_CUSTOMS), other = raw(SHIELD_ROLE_BANK);
    shield_pin pin = pin_of(digits);
    shield_bytes *signed_bytes = NULL;
    shield_receipt *receipt = NULL;
    shield_error *error = NULL;
    pthread_t threads[2];
    void *answer;
    int64_t left = 0;
    int i;
    CODE(shield_unlock(device, &unlock, &pin, &shared, NULL), SHIELD_OK);
    for (i = 0; i < 2; i++) CHECK(pthread_create(threads + i, NULL, sign_many, NULL) == 0);
    for (i = 0; i < 2; i++) {
        pthread_join(threads[i], &answer);
        CHECK(answer == NULL);
    }
    CODE(shield_batch_number(shared, SHIELD_BATCH_SIGNATURES_LEFT, &left), SHIELD_OK);
    CHECK(left == 5000 - 20);
    CODE(shield_batch_sign(shared, &other, &signed_bytes, &receipt, NULL), SHIELD_ERR_ROLE_MISMATCH);

    signs(shared);
    hand("remove");
    CODE(shield_batch_sign(shared, &request, &signed_bytes, &receipt, &error), SHIELD_ERR_CARD_REMOVED);
    CHECK(signed_bytes == NULL && receipt == NULL);
    CHECK(error_number(error, SHIELD_ERROR_RECOVERY) == SHIELD_RECOVERY_INSERT_SHIELD);
    CHECK(error_says(error, SHIELD_ERROR_SHORT_CODE, "SH-1029"));
    CODE(shield_error_free(error), SHIELD_OK);
    other = raw(SHIELD_ROLE_BANK);
    CODE(shield_sign(device, &other, &pin, &signed_bytes, &receipt, NULL), SHIELD_ERR_CARD_REMOVED);
    hand("insert");
    signs(shared);
    CODE(shield_sign(device, &other, &pin, &signed_bytes, &receipt, NULL), SHIELD_OK);
    CODE(shield_bytes_free(signed_bytes), SHIELD_OK);
    CODE(shield_receipt_free(receipt), SHIELD_OK);
    CODE(shield_batch_end(shared), SHIELD_OK);
}

/* A wrong PIN costs one try and is said with what is left; the right one gives it back. */
static void wrong_pin(void) {
    shield_request request = raw(SHIELD_ROLE_BANK);
    struct asked a = {0, digits, 0, 0, 0, 0};
    shield_pin pin = {.struct_size = sizeof pin, .ask = ask, .userdata = &a};
    int round;
    for (round = 0; round < 2; round++) {
        shield_bytes *signed_bytes = NULL;
        shield_receipt *receipt = NULL;
        shield_error *error = NULL;
        a.digits = "000000";
        CODE(shield_sign(device, &request, &pin, &signed_bytes, &receipt, &error), SHIELD_ERR_PIN_INCORRECT);
        CHECK(signed_bytes == NULL && receipt == NULL);
        CHECK(error_number(error, SHIELD_ERROR_ROLE) == SHIELD_ROLE_BANK);
        CHECK(error_number(error, SHIELD_ERROR_TRIES) == SHIELD_TRIES_KNOWN);
        CHECK(error_number(error, SHIELD_ERROR_TRIES_LEFT) == 2);
        CHECK(error_says(error, SHIELD_ERROR_STATUS, "SW 63C2"));
        CODE(shield_error_free(error), SHIELD_OK);
        a.digits = digits;
        CODE(shield_sign(device, &request, &pin, &signed_bytes, &receipt, NULL), SHIELD_OK);
        CHECK(a.tries == SHIELD_TRIES_KNOWN && a.left == 2);
        CODE(shield_bytes_free(signed_bytes), SHIELD_OK);
        CODE(shield_receipt_free(receipt), SHIELD_OK);
    }
    CHECK(a.times == 4);
}

/* By its stored name one certificate is found and signs; a name that fits none finds nothing. */
static void by_reference(void) {
    shield_scan_options options = {.struct_size = sizeof options, .wait_ms = WAIT};
    shield_request request = raw(SHIELD_ROLE_BANK);
    shield_pin pin = pin_of(digits);
    shield_scan *one = NULL;
    shield_device *again = NULL;
    shield_bytes *signed_bytes = NULL;
    shield_receipt *receipt = NULL;
    char reference[512];
    size_t count = 0;
    CODE(shield_credential_route(bank, 0, SHIELD_ROUTE_REFERENCE, reference, sizeof reference, NULL), SHIELD_OK);
    options.profile_path = text_of(profile);
    options.reference = text_of(reference);
    CODE(shield_scan_new(&options, &one, NULL), SHIELD_OK);
    CODE(shield_open(one, NULL, &again, NULL), SHIELD_OK);
    CODE(shield_device_credential_count(again, &count), SHIELD_OK);
    CHECK(count == 1);
    CODE(shield_scan_free(one), SHIELD_OK);
    CODE(shield_sign(again, &request, &pin, &signed_bytes, &receipt, NULL), SHIELD_OK);
    CODE(shield_bytes_free(signed_bytes), SHIELD_OK);
    CODE(shield_receipt_free(receipt), SHIELD_OK);
    CODE(shield_device_free(again), SHIELD_OK);
    memset(strrchr(reference, '/') + 1, '0', 64);
    one = NULL, again = NULL;
    CODE(shield_scan_new(&options, &one, NULL), SHIELD_OK);
    CHECK(shield_open(one, NULL, &again, NULL) != SHIELD_OK && again == NULL);
    CODE(shield_scan_free(one), SHIELD_OK);
}

/* Who names a module gets the card only when it is asked for too; a module that fails hides no card. */
static void beside_a_module(void) {
    shield_text modules[1] = {SHIELD_TEXT("/no/such/module.so")};
    shield_scan_options options = {.struct_size = sizeof options, .wait_ms = WAIT};
    uint32_t readers;
    options.modules.data = modules;
    options.modules.count = 1;
    options.profile_path = text_of(profile);
    for (readers = SHIELD_READERS_DEFAULT; readers <= SHIELD_READERS_OFF; readers++) {
        shield_scan *found = NULL;
        size_t shields = 99, problems = 99;
        options.readers = readers;
        CODE(shield_scan_new(&options, &found, NULL), SHIELD_OK);
        CODE(shield_scan_count(found, &shields), SHIELD_OK);
        CODE(shield_scan_problem_count(found, &problems), SHIELD_OK);
        CHECK(shields == (readers == SHIELD_READERS_ON) && problems == 1);
        CODE(shield_scan_free(found), SHIELD_OK);
    }
}

int main(int argc, char **argv) {
    if (argc != 6) return 2;
    profile = argv[1], digits = argv[2], declaration = argv[3], json_179 = argv[4], folder = argv[5];
    open_desk(NULL, profile);
    list();
    declaration_and_payment();
    batch();
    wrong_pin();
    by_reference();
    beside_a_module();
    close_desk();
    return finish("card");
}
