/* A panic inside each function comes back as an error, prints nothing, and leaves the library usable.
 * For a library built with the feature `failpoints`.
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
#define AT_BEGINNING(name, arguments)        \
    failpoint(#name);                        \
    printf("panicked %s\n", #name);          \
    CODE(name arguments, SHIELD_ERR_DEFECT); \
    failpoint(NULL)

/* A panic behind the arguments, in a call that would have succeeded. */
#define INSIDE(name, arguments)              \
    failpoint("inside:" #name);              \
    CODE(name arguments, SHIELD_ERR_DEFECT); \
    failpoint(NULL)

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

static void verifying(const char *folder) {
    shield_verify_options options = {sizeof options};
    shield_report *report = NULL;
    int64_t verdict = 7;
    size_t length;
    uint8_t *message = read_file(folder, "synthetic_CEB311_rsa.xml", &length);
    options.format = SHIELD_FORMAT_DECLARATION;
    options.document.data = message;
    options.document.length = length;
    options.at_given = 1;
    options.at = THEN;
    INSIDE(shield_verify, (&options, &report, NULL));
    CHECK(report == NULL);
    CODE(shield_verify(&options, &report, NULL), SHIELD_OK);
    INSIDE(shield_report_number, (report, SHIELD_REPORT_VERDICT, &verdict));
    CHECK(verdict == 7);
    CODE(shield_report_number(report, SHIELD_REPORT_VERDICT, &verdict), SHIELD_OK);
    CHECK(verdict == SHIELD_VERDICT_SIGNATURE_ONLY);
    /* The handle is gone, whatever happened behind it. */
    INSIDE(shield_report_free, (report));
    CODE(shield_report_free(report), SHIELD_ERR_HANDLE_INVALID);
    free(message);
}

static void signing(char **argv) {
    shield_text module = text_of(argv[0]);
    shield_scan_options scan_options = {.struct_size = sizeof scan_options, .wait_ms = WAIT};
    shield_request request = {.struct_size = sizeof request, .wait_ms = WAIT};
    shield_unlock_options unlock = {.struct_size = sizeof unlock, .wait_ms = WAIT};
    shield_pin pin = {sizeof pin};
    shield_scan *scan = NULL;
    shield_device *device = NULL;
    shield_batch *batch = NULL;
    shield_bytes *signed_bytes = NULL;
    shield_receipt *receipt = NULL;
    scan_options.modules.data = &module;
    scan_options.modules.count = 1;
    scan_options.profile_path = text_of(argv[1]);
    request.format = SHIELD_FORMAT_RAW;
    request.role = unlock.role = SHIELD_ROLE_CUSTOMS;
    request.document.data = (const uint8_t *)"order 4711";
    request.document.length = 10;
    pin.octets.data = (const uint8_t *)argv[2];
    pin.octets.length = strlen(argv[2]);

    INSIDE(shield_scan_new, (&scan_options, &scan, NULL));
    CODE(shield_scan_new(&scan_options, &scan, NULL), SHIELD_OK);
    INSIDE(shield_open, (scan, NULL, &device, NULL));
    CODE(shield_open(scan, NULL, &device, NULL), SHIELD_OK);
    INSIDE(shield_sign, (device, &request, &pin, &signed_bytes, &receipt, NULL));
    CHECK(signed_bytes == NULL && receipt == NULL);
    CODE(shield_sign(device, &request, &pin, &signed_bytes, &receipt, NULL), SHIELD_OK);
    CODE(shield_bytes_free(signed_bytes), SHIELD_OK);
    CODE(shield_receipt_free(receipt), SHIELD_OK);
    INSIDE(shield_unlock, (device, &unlock, &pin, &batch, NULL));
    CODE(shield_unlock(device, &unlock, &pin, &batch, NULL), SHIELD_OK);
    INSIDE(shield_batch_sign, (batch, &request, &signed_bytes, &receipt, NULL));
    CODE(shield_batch_sign(batch, &request, &signed_bytes, &receipt, NULL), SHIELD_OK);
    CODE(shield_bytes_free(signed_bytes), SHIELD_OK);
    CODE(shield_receipt_free(receipt), SHIELD_OK);
    INSIDE(shield_batch_end, (batch));
    CODE(shield_batch_end(batch), SHIELD_ERR_HANDLE_INVALID);
    CODE(shield_device_free(device), SHIELD_OK);
    CODE(shield_scan_free(scan), SHIELD_OK);
}

int main(int argc, char **argv) {
    if (argc != 2 && argc != 5) return 2;
    failpoint(NULL);
    at_the_beginning();
    the_error();
    verifying(argv[1]);
    if (argc == 5) signing(argv + 2);
    return finish("panics");
}
