/* Every exported function, called wrongly: NULL handles, freed handles, handles of another kind, made-up handles, NULL outputs.
 * Each gives its code, writes nothing and harms nothing.
 *
 *   misuse FOLDER-OF-VECTORS [MODULE PROFILE CUSTOMS-PIN]
 *
 * With a module there are real handles of every kind; without, those of kinds that need a token are made up. It says the name
 * of each function behind "null", "freed" or "output" once that call gave its code.
 */
#include "check.h"

#define THEN 1798761600

struct handles {
    shield_bytes *bytes;
    shield_error *error;
    shield_scan *scan;
    shield_device *device;
    shield_credential *credential;
    shield_batch *batch;
    shield_receipt *receipt;
    shield_report *report;
};

static struct handles live, gone, none, none2;

/* Outputs that must stay as they are. */
static uint32_t number32 = 7;
static int64_t number64 = 7;
static size_t size = 7;
static char buffer[256];
static struct handles out;
static shield_text path = SHIELD_TEXT("/no/such/folder/out");

static shield_scan_options scan_options;
static shield_selector selector;
static shield_request request;
static shield_unlock_options unlock_options;
static shield_verify_options verify_options;
static shield_pin pin;

/* name, arguments with h as the handles */
#define TEXT_OUT buffer, sizeof buffer, &size
#define EACH(X)                                                                                             \
    X(shield_bytes_length, (h->bytes, &size), (h->bytes, NULL))                                             \
    X(shield_bytes_copy, (h->bytes, (uint8_t *)buffer, sizeof buffer, &size), (h->bytes, NULL, 9, &size))   \
    X(shield_error_number, (h->error, SHIELD_ERROR_CODE, &number64), (h->error, SHIELD_ERROR_CODE, NULL))   \
    X(shield_error_text, (h->error, SHIELD_ERROR_KIND, TEXT_OUT), (h->error, SHIELD_ERROR_KIND, NULL, 9, NULL)) \
    X(shield_error_candidate, (h->error, 0, 1, TEXT_OUT), (h->error, 0, 1, NULL, 9, NULL))                  \
    X(shield_scan_count, (h->scan, &size), (h->scan, NULL))                                                 \
    X(shield_scan_problem_count, (h->scan, &size), (h->scan, NULL))                                         \
    X(shield_scan_problem, (h->scan, 0, &out.error), (h->scan, 0, NULL))                                    \
    X(shield_open, (h->scan, NULL, &out.device, NULL), (h->scan, NULL, NULL, NULL))                         \
    X(shield_open_at, (h->scan, 0, &out.device, NULL), (h->scan, 0, NULL, NULL))                            \
    X(shield_device_text, (h->device, 1, TEXT_OUT), (h->device, 1, NULL, 9, NULL))                          \
    X(shield_device_credential_count, (h->device, &size), (h->device, NULL))                                \
    X(shield_device_credential_at, (h->device, 0, &out.credential), (h->device, 0, NULL))                   \
    X(shield_device_credential, (h->device, &selector, &out.credential, NULL), (h->device, &selector, NULL, NULL)) \
    X(shield_credential_number, (h->credential, 1, &number64), (h->credential, 1, NULL))                    \
    X(shield_credential_text, (h->credential, 20, TEXT_OUT), (h->credential, 20, NULL, 9, NULL))            \
    X(shield_credential_route, (h->credential, 0, 1, TEXT_OUT), (h->credential, 0, 1, NULL, 9, NULL))       \
    X(shield_credential_certificate, (h->credential, &out.bytes), (h->credential, NULL))                    \
    X(shield_sign, (h->device, &request, &pin, &out.bytes, &out.receipt, NULL), (h->device, &request, &pin, &out.bytes, NULL, NULL)) \
    X(shield_sign_file, (h->device, &request, &pin, path.data, path.length, &out.receipt, NULL), (h->device, &request, &pin, NULL, 0, &out.receipt, NULL)) \
    X(shield_unlock, (h->device, &unlock_options, &pin, &out.batch, NULL), (h->device, &unlock_options, &pin, NULL, NULL)) \
    X(shield_batch_sign, (h->batch, &request, &out.bytes, &out.receipt, NULL), (h->batch, &request, NULL, &out.receipt, NULL)) \
    X(shield_batch_sign_file, (h->batch, &request, path.data, path.length, &out.receipt, NULL), (h->batch, &request, path.data, path.length, NULL, NULL)) \
    X(shield_batch_number, (h->batch, 1, &number64), (h->batch, 1, NULL))                                   \
    X(shield_receipt_number, (h->receipt, 1, &number64), (h->receipt, 1, NULL))                             \
    X(shield_receipt_text, (h->receipt, 20, TEXT_OUT), (h->receipt, 20, NULL, 9, NULL))                     \
    X(shield_receipt_note, (h->receipt, 0, 0, TEXT_OUT), (h->receipt, 0, 0, NULL, 9, NULL))                 \
    X(shield_report_number, (h->report, 1, &number64), (h->report, 1, NULL))                                \
    X(shield_report_text, (h->report, 20, TEXT_OUT), (h->report, 20, NULL, 9, NULL))                        \
    X(shield_report_finding_number, (h->report, 0, 1, &number64), (h->report, 0, 1, NULL))                  \
    X(shield_report_finding_text, (h->report, 0, 20, TEXT_OUT), (h->report, 0, 20, NULL, 9, NULL))

#define EACH_FREE(X)                                                                  \
    X(shield_bytes_free, h->bytes)                                                    \
    X(shield_error_free, h->error)                                                    \
    X(shield_scan_free, h->scan)                                                      \
    X(shield_device_free, h->device)                                                  \
    X(shield_credential_free, h->credential)                                          \
    X(shield_batch_end, h->batch)                                                     \
    X(shield_receipt_free, h->receipt)                                                \
    X(shield_report_free, h->report)

static void untouched(const char *function) {
    int same = number32 == 7 && number64 == 7 && size == 7 && buffer[0] == 'x' && memcmp(&out, &none2, sizeof out) == 0;
    checks++;
    if (!same) {
        failures++;
        printf("FAIL %s wrote an output although it failed\n", function);
        number32 = 7, number64 = 7, size = 7, buffer[0] = 'x';
        memset(&out, 0, sizeof out);
    }
}

/* Every function with these handles. */
static void all_with(const struct handles *h, uint32_t wanted, const char *word) {
#define CALL(name, arguments, unused) SAY(word, name, arguments, wanted); untouched(#name);
    EACH(CALL)
#undef CALL
#define CALL(name, argument) SAY(word, name, (argument), wanted); untouched(#name);
    EACH_FREE(CALL)
#undef CALL
}

/* Every function with good handles and an output that is NULL. */
static void null_outputs(const struct handles *h) {
#define CALL(name, unused, arguments) SAY("output", name, arguments, SHIELD_ERR_NULL_POINTER); untouched(#name);
    EACH(CALL)
#undef CALL
}

/* The handle of one kind in the place of another. */
static void other_kinds(void) {
    struct handles mixed;
    void *first = live.error, *second = live.report;
    void **place = (void **)&mixed;
    size_t i;
    for (i = 0; i < sizeof mixed / sizeof *place; i++) place[i] = first;
    mixed.error = second;
    all_with(&mixed, SHIELD_ERR_HANDLE_INVALID, "mistaken");
}

static void made_up(void) {
    static const uintptr_t values[] = {1, 8, 4096, 0xdeadbeef, UINTPTR_MAX, UINTPTR_MAX / 2, UINTPTR_MAX / 3};
    size_t i, j;
    struct handles forged;
    void **place = (void **)&forged;
    for (i = 0; i < sizeof values / sizeof *values; i++) {
        for (j = 0; j < sizeof forged / sizeof *place; j++) place[j] = (void *)values[i];
        all_with(&forged, SHIELD_ERR_HANDLE_INVALID, "forged");
    }
    /* Memory of the caller's own, and neighbours of good handles. */
    for (j = 0; j < sizeof forged / sizeof *place; j++) place[j] = &forged;
    all_with(&forged, SHIELD_ERR_HANDLE_INVALID, "forged");
    for (j = 0; j < sizeof forged / sizeof *place; j++) place[j] = (void *)((uintptr_t)live.error ^ ((uintptr_t)1 << (j + 20)));
    all_with(&forged, SHIELD_ERR_HANDLE_INVALID, "forged");
}

/* Functions that take no handle. */
static void without_handles(void) {
    SAY("null", shield_abi_version, (NULL), SHIELD_ERR_NULL_POINTER);
    SAY("null", shield_version, (NULL, 0, NULL), SHIELD_ERR_NULL_POINTER);
    SAY("output", shield_version, (NULL, 9, &size), SHIELD_ERR_NULL_POINTER);
    SAY("null", shield_code_text, (SHIELD_ERR_BUSY, SHIELD_ERROR_KIND, NULL, 9, NULL), SHIELD_ERR_NULL_POINTER);
    SAY("null", shield_scan_new, (NULL, &out.scan, NULL), SHIELD_ERR_NULL_POINTER);
    SAY("output", shield_scan_new, (&scan_options, NULL, NULL), SHIELD_ERR_NULL_POINTER);
    SAY("null", shield_verify, (NULL, &out.report, NULL), SHIELD_ERR_NULL_POINTER);
    SAY("output", shield_verify, (&verify_options, NULL, NULL), SHIELD_ERR_NULL_POINTER);
    SAY("output", shield_abi_version, (NULL), SHIELD_ERR_NULL_POINTER);
    SAY("output", shield_code_text, (SHIELD_ERR_BUSY, SHIELD_ERROR_KIND, NULL, 0, NULL), SHIELD_ERR_NULL_POINTER);
    untouched("a function without handles");
}

/* NULL options beside good handles, and options that contradict each other. */
static void bad_options(void) {
    shield_request bad = request;
    shield_pin no_pin = pin, both = pin;
    CODE(shield_sign(live.device, NULL, &pin, &out.bytes, &out.receipt, NULL), SHIELD_ERR_NULL_POINTER);
    CODE(shield_sign(live.device, &request, NULL, &out.bytes, &out.receipt, NULL), SHIELD_ERR_NULL_POINTER);
    CODE(shield_unlock(live.device, NULL, &pin, &out.batch, NULL), SHIELD_ERR_NULL_POINTER);
    CODE(shield_device_credential(live.device, NULL, &out.credential, NULL), SHIELD_ERR_ARGUMENT);
    no_pin.octets.data = NULL, no_pin.octets.length = 0;
    CODE(shield_sign(live.device, &request, &no_pin, &out.bytes, &out.receipt, NULL), SHIELD_ERR_NULL_POINTER);
    no_pin.octets.data = (const uint8_t *)"";
    CODE(shield_sign(live.device, &request, &no_pin, &out.bytes, &out.receipt, NULL), SHIELD_ERR_PIN_EMPTY);
    both.octets.data = (const uint8_t *)"0123456789012345678901234567890123456789012345678901234567890123456789";
    both.octets.length = 65;
    CODE(shield_sign(live.device, &request, &both, &out.bytes, &out.receipt, NULL), SHIELD_ERR_PIN_LENGTH);
    bad.credential = (const shield_credential *)live.error;
    CODE(shield_sign(live.device, &bad, &pin, &out.bytes, &out.receipt, NULL), SHIELD_ERR_HANDLE_INVALID);
    bad = request;
    bad.flags = 64;
    CODE(shield_sign(live.device, &bad, &pin, &out.bytes, &out.receipt, NULL), SHIELD_ERR_ARGUMENT);
    bad = request;
    bad.variant = 99;
    CODE(shield_batch_sign(live.batch, &bad, &out.bytes, &out.receipt, NULL), SHIELD_ERR_ARGUMENT);
    bad = request;
    bad.struct_size = 3;
    CODE(shield_batch_sign(live.batch, &bad, &out.bytes, &out.receipt, NULL), SHIELD_ERR_STRUCT_UNKNOWN);
    untouched("bad options");
}

/* A freed certificate within a struct. */
static void freed_in_options(void) {
    shield_request bad = request;
    shield_unlock_options unlock = unlock_options;
    bad.credential = unlock.credential = gone.credential;
    CODE(shield_sign(live.device, &bad, &pin, &out.bytes, &out.receipt, NULL), SHIELD_ERR_HANDLE_INVALID);
    CODE(shield_batch_sign(live.batch, &bad, &out.bytes, &out.receipt, NULL), SHIELD_ERR_HANDLE_INVALID);
    CODE(shield_unlock(live.device, &unlock, &pin, &out.batch, NULL), SHIELD_ERR_HANDLE_INVALID);
    untouched("a freed certificate in options");
}

static void without_a_token(const char *folder) {
#ifdef _WIN32
    shield_text module = SHIELD_TEXT("C:\\no\\such\\module.dll");
#else
    shield_text module = SHIELD_TEXT("/no/such/module.so");
#endif
    size_t length;
    uint8_t *message = read_file(folder, "synthetic_CEB311_rsa.xml", &length);
    scan_options.modules.data = &module;
    scan_options.modules.count = 1;
    CODE(shield_scan_new(&scan_options, &live.scan, NULL), SHIELD_OK);
    verify_options.format = SHIELD_FORMAT_DECLARATION;
    verify_options.document.data = message;
    verify_options.document.length = length;
    verify_options.at_given = 1;
    verify_options.at = THEN;
    CODE(shield_verify(&verify_options, &live.report, NULL), SHIELD_OK);
    CODE(shield_scan_new(&scan_options, &gone.scan, NULL), SHIELD_OK);
    CODE(shield_verify(&verify_options, &gone.report, NULL), SHIELD_OK);
    CODE(shield_open(live.scan, NULL, &out.device, &live.error), SHIELD_ERR_MODULE_NOT_FOUND);
    CODE(shield_open(live.scan, NULL, &out.device, &gone.error), SHIELD_ERR_MODULE_NOT_FOUND);
    free(message);
}

/* Handles of every kind into `to`. */
static void with_a_token(struct handles *to) {
    shield_batch *batch = NULL;
    CODE(shield_scan_new(&scan_options, &to->scan, NULL), SHIELD_OK);
    CODE(shield_open(to->scan, NULL, &to->device, NULL), SHIELD_OK);
    CODE(shield_device_credential(to->device, &selector, &to->credential, NULL), SHIELD_OK);
    CODE(shield_unlock(to->device, &unlock_options, &pin, &batch, NULL), SHIELD_OK);
    to->batch = batch;
    CODE(shield_batch_sign(batch, &request, &to->bytes, &to->receipt, NULL), SHIELD_OK);
}

static void free_all(struct handles *h) {
#define CALL(name, argument) if (argument) CODE(name(argument), SHIELD_OK);
    EACH_FREE(CALL)
#undef CALL
}

/* Without a token some kinds were never made: a freed handle of another kind stands in. Gives how many. */
static int fill(struct handles *h) {
    void **place = (void **)h;
    int filled = 0;
    size_t i;
    for (i = 0; i < sizeof *h / sizeof *place; i++)
        if (!place[i]) place[i] = h->error, filled++;
    return filled;
}

int main(int argc, char **argv) {
    static shield_text module;
    const char *word;
    if (argc != 2 && argc != 5) return 2;
    memset(buffer, 'x', sizeof buffer);
    scan_options.struct_size = sizeof scan_options;
    scan_options.wait_ms = request.wait_ms = unlock_options.wait_ms = WAIT;
    selector.struct_size = sizeof selector;
    selector.role = SHIELD_ROLE_CUSTOMS;
    request.struct_size = sizeof request;
    request.format = SHIELD_FORMAT_RAW;
    request.role = SHIELD_ROLE_CUSTOMS;
    request.document.data = (const uint8_t *)"order 4711";
    request.document.length = 10;
    unlock_options.struct_size = sizeof unlock_options;
    unlock_options.role = SHIELD_ROLE_CUSTOMS;
    verify_options.struct_size = sizeof verify_options;
    pin.struct_size = sizeof pin;
    pin.octets.data = (const uint8_t *)(argc == 5 ? argv[4] : "12345678");
    pin.octets.length = strlen((const char *)pin.octets.data);

    without_a_token(argv[1]);
    if (argc == 5) {
        struct handles first = gone;
        CODE(shield_scan_free(gone.scan), SHIELD_OK);
        CODE(shield_scan_free(live.scan), SHIELD_OK);
        live.scan = gone.scan = NULL;
        module = text_of(argv[2]);
        scan_options.modules.data = &module;
        scan_options.profile_path = text_of(argv[3]);
        with_a_token(&live);
        with_a_token(&gone);
        gone.error = first.error;
        gone.report = first.report;
    }
    without_handles();
    all_with(&none, SHIELD_ERR_NULL_POINTER, "null");
    if (argc == 5) {
        null_outputs(&live);
        bad_options();
    }
    other_kinds();
    made_up();
    free_all(&gone);
    if (argc == 5) freed_in_options();
    word = fill(&gone) ? "stood in for" : "freed";
    all_with(&gone, SHIELD_ERR_HANDLE_INVALID, word);
    free_all(&live);
    word = fill(&live) ? "stood in for" : "freed";
    all_with(&live, SHIELD_ERR_HANDLE_INVALID, word);
    return finish("misuse");
}
