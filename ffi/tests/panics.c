/* A panic inside each function comes back as an error, prints nothing, and leaves the library usable.
 * For a library built with the feature `failpoints`. It says the name of each function behind "panicked" (at its beginning)
 * and "inside" (behind its arguments) once that call came back as an error.
 *
 *   panics FOLDER-OF-VECTORS [MODULE PROFILE CUSTOMS-PIN]
 */
#ifdef _WIN32
#include <windows.h>
#else
#define _POSIX_C_SOURCE 200112L
#endif
#include "check.h"

#define THEN 1798761600

static void failpoint(const char *where) {
#ifdef _WIN32
    SetEnvironmentVariableA("SHIELD_FAILPOINT", where);
#else
    if (where) setenv("SHIELD_FAILPOINT", where, 1);
    else unsetenv("SHIELD_FAILPOINT");
#endif
}

/* The name alone: a panic at the beginning of the call. */
#define AT_BEGINNING(name, arguments)                      \
    failpoint(#name);                                      \
    SAY("panicked", name, arguments, SHIELD_ERR_DEFECT);   \
    failpoint(NULL)

/* A panic behind the arguments. */
#define PANIC(name, arguments)                             \
    failpoint("inside:" #name);                            \
    SAY("inside", name, arguments, SHIELD_ERR_DEFECT);     \
    failpoint(NULL)

/* The same, in a call that succeeds otherwise. */
#define INSIDE(name, arguments)                            \
    PANIC(name, arguments);                                \
    CODE(name arguments, SHIELD_OK)

static void at_the_beginning(void) {
    AT_BEGINNING(shield_abi_version, (NULL));
    AT_BEGINNING(shield_version, (NULL, 0, NULL));
    AT_BEGINNING(shield_bytes_length, (NULL, NULL));
    AT_BEGINNING(shield_bytes_copy, (NULL, NULL, 0, NULL));
    AT_BEGINNING(shield_bytes_free, (NULL));
    AT_BEGINNING(shield_error_number, (NULL, 0, NULL));
    AT_BEGINNING(shield_error_text, (NULL, 0, NULL, 0, NULL));
    AT_BEGINNING(shield_error_candidate, (NULL, 0, 0, NULL, 0, NULL));
    AT_BEGINNING(shield_code_text, (0, 0, NULL, 0, NULL));
    AT_BEGINNING(shield_error_free, (NULL));
    AT_BEGINNING(shield_scan_new, (NULL, NULL, NULL));
    AT_BEGINNING(shield_scan_count, (NULL, NULL));
    AT_BEGINNING(shield_scan_problem_count, (NULL, NULL));
    AT_BEGINNING(shield_scan_problem, (NULL, 0, NULL));
    AT_BEGINNING(shield_scan_free, (NULL));
    AT_BEGINNING(shield_open, (NULL, NULL, NULL, NULL));
    AT_BEGINNING(shield_open_at, (NULL, 0, NULL, NULL));
    AT_BEGINNING(shield_device_text, (NULL, 0, NULL, 0, NULL));
    AT_BEGINNING(shield_device_credential_count, (NULL, NULL));
    AT_BEGINNING(shield_device_credential_at, (NULL, 0, NULL));
    AT_BEGINNING(shield_device_credential, (NULL, NULL, NULL, NULL));
    AT_BEGINNING(shield_device_free, (NULL));
    AT_BEGINNING(shield_credential_number, (NULL, 0, NULL));
    AT_BEGINNING(shield_credential_text, (NULL, 0, NULL, 0, NULL));
    AT_BEGINNING(shield_credential_route, (NULL, 0, 0, NULL, 0, NULL));
    AT_BEGINNING(shield_credential_certificate, (NULL, NULL));
    AT_BEGINNING(shield_credential_free, (NULL));
    AT_BEGINNING(shield_sign, (NULL, NULL, NULL, NULL, NULL, NULL));
    AT_BEGINNING(shield_sign_file, (NULL, NULL, NULL, NULL, 0, NULL, NULL));
    AT_BEGINNING(shield_unlock, (NULL, NULL, NULL, NULL, NULL));
    AT_BEGINNING(shield_batch_sign, (NULL, NULL, NULL, NULL, NULL));
    AT_BEGINNING(shield_batch_sign_file, (NULL, NULL, NULL, 0, NULL, NULL));
    AT_BEGINNING(shield_batch_number, (NULL, 0, NULL));
    AT_BEGINNING(shield_batch_end, (NULL));
    AT_BEGINNING(shield_receipt_number, (NULL, 0, NULL));
    AT_BEGINNING(shield_receipt_text, (NULL, 0, NULL, 0, NULL));
    AT_BEGINNING(shield_receipt_note, (NULL, 0, 0, NULL, 0, NULL));
    AT_BEGINNING(shield_receipt_free, (NULL));
    AT_BEGINNING(shield_verify, (NULL, NULL, NULL));
    AT_BEGINNING(shield_report_number, (NULL, 0, NULL));
    AT_BEGINNING(shield_report_text, (NULL, 0, NULL, 0, NULL));
    AT_BEGINNING(shield_report_finding_number, (NULL, 0, 0, NULL));
    AT_BEGINNING(shield_report_finding_text, (NULL, 0, 0, NULL, 0, NULL));
    AT_BEGINNING(shield_report_free, (NULL));
}

/* The error object names the call and the place, and nothing of the panic's own words. */
static void the_error(void) {
    shield_error *error = NULL;
    failpoint("shield_verify");
    CODE(shield_verify(NULL, NULL, &error), SHIELD_ERR_DEFECT);
    failpoint(NULL);
    CHECK(error != NULL);
    CHECK(error_says(error, SHIELD_ERROR_OPERATION, "shield_verify"));
    CHECK(error_says(error, SHIELD_ERROR_DETAIL, "panic at failpoint.rs:"));
    CHECK(error_number(error, SHIELD_ERROR_RECOVERY) == SHIELD_RECOVERY_NONE);
    CODE(shield_error_free(error), SHIELD_OK);
    CODE(shield_error_free(error), SHIELD_ERR_HANDLE_INVALID);
}

static void libraries_own(void) {
    uint32_t abi = 0;
    char text[64];
    INSIDE(shield_abi_version, (&abi));
    INSIDE(shield_version, (text, sizeof text, NULL));
    INSIDE(shield_code_text, (SHIELD_ERR_BUSY, SHIELD_ERROR_KIND, text, sizeof text, NULL));
    CHECK(strcmp(text, "Busy") == 0);
}

static void verifying(const char *folder) {
    shield_verify_options options = {sizeof options};
    shield_report *report = NULL;
    int64_t verdict = 7;
    char text[256] = "x";
    size_t length;
    uint8_t *message = read_file(folder, "synthetic_CEB311_rsa.xml", &length);
    options.format = SHIELD_FORMAT_DECLARATION;
    options.document.data = message;
    options.document.length = length;
    options.at_given = 1;
    options.at = THEN;
    PANIC(shield_verify, (&options, &report, NULL));
    CHECK(report == NULL);
    CODE(shield_verify(&options, &report, NULL), SHIELD_OK);
    PANIC(shield_report_number, (report, SHIELD_REPORT_VERDICT, &verdict));
    CHECK(verdict == 7);
    CODE(shield_report_number(report, SHIELD_REPORT_VERDICT, &verdict), SHIELD_OK);
    CHECK(verdict == SHIELD_VERDICT_SIGNATURE_ONLY);
    PANIC(shield_report_text, (report, SHIELD_REPORT_FORMAT, text, sizeof text, NULL));
    CHECK(strcmp(text, "x") == 0);
    INSIDE(shield_report_text, (report, SHIELD_REPORT_FORMAT, text, sizeof text, NULL));
    INSIDE(shield_report_finding_number, (report, 0, SHIELD_FINDING_SEVERITY, &verdict));
    INSIDE(shield_report_finding_text, (report, 0, SHIELD_FINDING_CODE, text, sizeof text, NULL));
    /* The handle is gone, whatever happened behind it. */
    PANIC(shield_report_free, (report));
    CODE(shield_report_free(report), SHIELD_ERR_HANDLE_INVALID);
    free(message);
}

/* A driver that is not there: a scan with a problem, and an error object. */
static void scanning(void) {
#ifdef _WIN32
    shield_text module = SHIELD_TEXT("C:\\no\\such\\module.dll");
#else
    shield_text module = SHIELD_TEXT("/no/such/module.so");
#endif
    shield_scan_options options = {.struct_size = sizeof options, .wait_ms = WAIT};
    shield_scan *scan = NULL;
    shield_error *problem = NULL;
    size_t count = 7;
    int64_t number = 7;
    char text[256];
    options.modules.data = &module;
    options.modules.count = 1;
    PANIC(shield_scan_new, (&options, &scan, NULL));
    CHECK(scan == NULL);
    CODE(shield_scan_new(&options, &scan, NULL), SHIELD_OK);
    INSIDE(shield_scan_count, (scan, &count));
    INSIDE(shield_scan_problem_count, (scan, &count));
    CHECK(count == 1);
    PANIC(shield_scan_problem, (scan, 0, &problem));
    CHECK(problem == NULL);
    CODE(shield_scan_problem(scan, 0, &problem), SHIELD_OK);
    INSIDE(shield_error_number, (problem, SHIELD_ERROR_CODE, &number));
    INSIDE(shield_error_text, (problem, SHIELD_ERROR_KIND, text, sizeof text, NULL));
    PANIC(shield_error_free, (problem));
    CODE(shield_error_free(problem), SHIELD_ERR_HANDLE_INVALID);
    PANIC(shield_scan_free, (scan));
    CODE(shield_scan_free(scan), SHIELD_ERR_HANDLE_INVALID);
}

/* Whether there is such a file. */
static int there(const char *file) {
    FILE *opened = fopen(file, "rb");
    if (opened) fclose(opened);
    return opened != NULL;
}

static void credentials(shield_device *device) {
    shield_selector selector = {.struct_size = sizeof selector, .role = SHIELD_ROLE_CUSTOMS};
    shield_credential *one = NULL;
    shield_bytes *der = NULL;
    shield_error *error = NULL;
    size_t count = 0;
    int64_t number = 0;
    char text[256];
    INSIDE(shield_device_text, (device, SHIELD_DEVICE_SERIAL, text, sizeof text, NULL));
    INSIDE(shield_device_credential_count, (device, &count));
    PANIC(shield_device_credential_at, (device, 0, &one));
    CHECK(one == NULL);
    CODE(shield_device_credential_at(device, 0, &one), SHIELD_OK);
    INSIDE(shield_credential_number, (one, SHIELD_CREDENTIAL_ROLE, &number));
    INSIDE(shield_credential_text, (one, SHIELD_CREDENTIAL_NUMBER, text, sizeof text, NULL));
    INSIDE(shield_credential_route, (one, 0, SHIELD_ROUTE_DOOR, text, sizeof text, NULL));
    PANIC(shield_credential_certificate, (one, &der));
    CHECK(der == NULL);
    CODE(shield_credential_certificate(one, &der), SHIELD_OK);
    INSIDE(shield_bytes_length, (der, &count));
    PANIC(shield_bytes_copy, (der, NULL, 0, &count));
    CODE(shield_bytes_copy(der, NULL, 0, &count), SHIELD_ERR_BUFFER_TOO_SHORT);
    PANIC(shield_bytes_free, (der));
    CODE(shield_bytes_free(der), SHIELD_ERR_HANDLE_INVALID);
    PANIC(shield_credential_free, (one));
    CODE(shield_credential_free(one), SHIELD_ERR_HANDLE_INVALID);
    one = NULL;
    PANIC(shield_device_credential, (device, &selector, &one, NULL));
    CHECK(one == NULL);
    CODE(shield_device_credential(device, &selector, &one, NULL), SHIELD_OK);
    CODE(shield_credential_free(one), SHIELD_OK);
    /* None fits: an error with candidates. */
    selector.card_number = text_of("no such card");
    CHECK(shield_device_credential(device, &selector, &one, &error) != SHIELD_OK && error != NULL);
    INSIDE(shield_error_candidate, (error, 0, SHIELD_CANDIDATE_REASON, text, sizeof text, NULL));
    CODE(shield_error_free(error), SHIELD_OK);
}

static void receipts(shield_receipt *receipt) {
    int64_t number = 0;
    char text[256];
    INSIDE(shield_receipt_number, (receipt, SHIELD_RECEIPT_ROLE, &number));
    INSIDE(shield_receipt_text, (receipt, SHIELD_RECEIPT_NUMBER, text, sizeof text, NULL));
    PANIC(shield_receipt_note, (receipt, 0, SHIELD_LANGUAGE_EN, text, sizeof text, NULL));
    PANIC(shield_receipt_free, (receipt));
    CODE(shield_receipt_free(receipt), SHIELD_ERR_HANDLE_INVALID);
}

/* `beside`: where a file may be written, without its ending. */
static void signing(shield_device *device, const char *digits, const char *beside) {
    char name[1024];
    shield_text file;
    shield_request request = {.struct_size = sizeof request, .wait_ms = WAIT};
    shield_unlock_options unlock = {.struct_size = sizeof unlock, .wait_ms = WAIT};
    shield_pin pin = {sizeof pin};
    shield_batch *batch = NULL;
    shield_bytes *signed_bytes = NULL;
    shield_receipt *receipt = NULL;
    int64_t number = 0;
    snprintf(name, sizeof name, "%s.signature", beside);
    file = text_of(name);
    request.format = SHIELD_FORMAT_RAW;
    request.role = unlock.role = SHIELD_ROLE_CUSTOMS;
    request.document.data = (const uint8_t *)"order 4711";
    request.document.length = 10;
    pin.octets.data = (const uint8_t *)digits;
    pin.octets.length = strlen(digits);
    remove(file.data);

    PANIC(shield_sign, (device, &request, &pin, &signed_bytes, &receipt, NULL));
    CHECK(signed_bytes == NULL && receipt == NULL);
    CODE(shield_sign(device, &request, &pin, &signed_bytes, &receipt, NULL), SHIELD_OK);
    CODE(shield_bytes_free(signed_bytes), SHIELD_OK);
    receipts(receipt);
    receipt = NULL;
    PANIC(shield_sign_file, (device, &request, &pin, file.data, file.length, &receipt, NULL));
    CHECK(receipt == NULL && !there(file.data));
    CODE(shield_sign_file(device, &request, &pin, file.data, file.length, &receipt, NULL), SHIELD_OK);
    CHECK(there(file.data) && remove(file.data) == 0);
    CODE(shield_receipt_free(receipt), SHIELD_OK);

    PANIC(shield_unlock, (device, &unlock, &pin, &batch, NULL));
    CHECK(batch == NULL);
    CODE(shield_unlock(device, &unlock, &pin, &batch, NULL), SHIELD_OK);
    INSIDE(shield_batch_number, (batch, SHIELD_BATCH_ROLE, &number));
    signed_bytes = NULL, receipt = NULL;
    PANIC(shield_batch_sign, (batch, &request, &signed_bytes, &receipt, NULL));
    CHECK(signed_bytes == NULL && receipt == NULL);
    CODE(shield_batch_sign(batch, &request, &signed_bytes, &receipt, NULL), SHIELD_OK);
    CODE(shield_bytes_free(signed_bytes), SHIELD_OK);
    CODE(shield_receipt_free(receipt), SHIELD_OK);
    receipt = NULL;
    PANIC(shield_batch_sign_file, (batch, &request, file.data, file.length, &receipt, NULL));
    CHECK(receipt == NULL && !there(file.data));
    CODE(shield_batch_sign_file(batch, &request, file.data, file.length, &receipt, NULL), SHIELD_OK);
    CHECK(there(file.data) && remove(file.data) == 0);
    CODE(shield_receipt_free(receipt), SHIELD_OK);
    PANIC(shield_batch_end, (batch));
    CODE(shield_batch_end(batch), SHIELD_ERR_HANDLE_INVALID);
}

static void with_a_token(char **argv) {
    shield_text module = text_of(argv[0]);
    shield_scan_options options = {.struct_size = sizeof options, .wait_ms = WAIT};
    shield_scan *scan = NULL;
    shield_device *device = NULL;
    options.modules.data = &module;
    options.modules.count = 1;
    options.profile_path = text_of(argv[1]);
    CODE(shield_scan_new(&options, &scan, NULL), SHIELD_OK);
    PANIC(shield_open, (scan, NULL, &device, NULL));
    CHECK(device == NULL);
    CODE(shield_open(scan, NULL, &device, NULL), SHIELD_OK);
    CODE(shield_device_free(device), SHIELD_OK);
    device = NULL;
    PANIC(shield_open_at, (scan, 0, &device, NULL));
    CHECK(device == NULL);
    CODE(shield_open_at(scan, 0, &device, NULL), SHIELD_OK);
    credentials(device);
    signing(device, argv[2], argv[1]);
    PANIC(shield_device_free, (device));
    CODE(shield_device_free(device), SHIELD_ERR_HANDLE_INVALID);
    CODE(shield_scan_free(scan), SHIELD_OK);
}

int main(int argc, char **argv) {
    if (argc != 2 && argc != 5) return 2;
    failpoint(NULL);
    at_the_beginning();
    the_error();
    libraries_own();
    verifying(argv[1]);
    scanning();
    if (argc == 5) with_a_token(argv + 2);
    return finish("panics");
}
