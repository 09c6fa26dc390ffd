/* A shield with two certificates, each under its own PIN: roles, batches, threads, dialogs, and what is refused.
 *
 *   sessions MODULE PROFILE CUSTOMS-PIN BANK-PIN DECLARATION
 */
#include <pthread.h>

#include "desk.h"

static const char *customs_pin, *bank_pin, *declaration;

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

static uint32_t SHIELD_CALL dialog(void *userdata, const shield_pin_question *question, uint8_t *buffer, size_t capacity,
                                   size_t *length) {
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
    if (argc < 6) return 2;
    customs_pin = argv[3], bank_pin = argv[4], declaration = argv[5];
    open_desk(argv[1], argv[2]);
    shown_text();
    roles();
    threads_share_a_batch();
    dialogs();
    close_desk();
    return finish("sessions");
}
