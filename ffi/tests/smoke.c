/* The first steps of a C program, without a token: version, a missing driver, errors, buffers, options of other sizes and wrong ones.
 *
 *   smoke FOLDER-OF-VECTORS PATH-OF-A-MISSING-MODULE
 */
#include "check.h"

static void version(void) {
    uint32_t abi = 0;
    char text[32];
    size_t needed = 0;
    CODE(shield_abi_version(&abi), SHIELD_OK);
    CHECK(abi == SHIELD_ABI_VERSION);
    CODE(shield_version(text, sizeof text, &needed), SHIELD_OK);
    CHECK(strlen(text) + 1 == needed && text[1] == '.');
}

static void missing_module(const char *module) {
    shield_text modules[1];
    shield_scan_options options = {.struct_size = sizeof options, .wait_ms = WAIT};
    shield_scan *scan = NULL;
    shield_device *device = NULL;
    shield_error *error = NULL, *problem = NULL;
    size_t count = 99;

    options.readers = 3;
    CODE(shield_scan_new(&options, &scan, NULL), SHIELD_ERR_ARGUMENT);
    options.readers = SHIELD_READERS_OFF;
    options.reference = text_of("9A");
    CODE(shield_scan_new(&options, &scan, NULL), SHIELD_ERR_ARGUMENT);
    options.reference.data = NULL, options.reference.length = 0;
    CODE(shield_scan_new(&options, &scan, &error), SHIELD_ERR_NO_SHIELD);
    CHECK(scan == NULL && error != NULL);
    CODE(shield_error_free(error), SHIELD_OK);
    error = NULL;

    options.readers = SHIELD_READERS_DEFAULT;
    modules[0] = text_of(module);
    options.modules.data = modules;
    options.modules.count = 1;
    CODE(shield_scan_new(&options, &scan, &error), SHIELD_OK);
    CHECK(error == NULL);
    CODE(shield_scan_count(scan, &count), SHIELD_OK);
    CHECK(count == 0);
    CODE(shield_scan_problem_count(scan, &count), SHIELD_OK);
    CHECK(count == 1);
    CODE(shield_scan_problem(scan, 0, &problem), SHIELD_OK);
    CHECK(error_number(problem, SHIELD_ERROR_CODE) == SHIELD_ERR_MODULE_NOT_FOUND);
    CHECK(error_number(problem, SHIELD_ERROR_RECOVERY) == SHIELD_RECOVERY_INSTALL_DRIVER);
    CHECK(error_says(problem, SHIELD_ERROR_SHORT_CODE, "SH-1010"));
    CHECK(error_says(problem, SHIELD_ERROR_KIND, "ModuleNotFound"));
    CHECK(error_says(problem, SHIELD_ERROR_MESSAGE, "install the driver"));
    CHECK(error_says(problem, SHIELD_ERROR_MESSAGE_ZH, "\xe5\xae\x89\xe8\xa3\x85\xe9\xa9\xb1\xe5\x8a\xa8"));
    CODE(shield_error_free(problem), SHIELD_OK);
    CODE(shield_scan_problem(scan, 1, &problem), SHIELD_ERR_ARGUMENT);

    CODE(shield_open(scan, NULL, &device, &error), SHIELD_ERR_MODULE_NOT_FOUND);
    CHECK(device == NULL && error != NULL);
    CHECK(error_number(error, SHIELD_ERROR_TRIES) == SHIELD_TRIES_NONE);
    CODE(shield_error_free(error), SHIELD_OK);
    CODE(shield_open_at(scan, 0, &device, NULL), SHIELD_ERR_ARGUMENT);
    CHECK(device == NULL);
    CODE(shield_scan_free(scan), SHIELD_OK);

    modules[0] = text_of("driver.so");
    scan = NULL;
    if (shield_scan_new(&options, &scan, &error) == SHIELD_OK) {
        CODE(shield_scan_problem(scan, 0, &problem), SHIELD_OK);
        CHECK(error_number(problem, SHIELD_ERROR_CODE) == SHIELD_ERR_PATH_NOT_ABSOLUTE);
        CODE(shield_error_free(problem), SHIELD_OK);
        CODE(shield_scan_free(scan), SHIELD_OK);
    } else {
        CHECK(error_number(error, SHIELD_ERROR_CODE) == SHIELD_ERR_PATH_NOT_ABSOLUTE);
        CODE(shield_error_free(error), SHIELD_OK);
    }
}

/* A program that was compiled when there were only modules: nothing is read behind the end of its struct, and no reader is looked at. */
static void older_program(const char *module) {
    shield_scan_options options = {.struct_size = offsetof(shield_scan_options, reference), .wait_ms = WAIT};
    shield_text modules[1];
    shield_scan *scan = NULL;
    shield_error *problem = NULL;
    size_t count = 99;
    modules[0] = text_of(module);
    options.modules.data = modules;
    options.modules.count = 1;
    options.readers = 3;
    CODE(shield_scan_new(&options, &scan, NULL), SHIELD_OK);
    CODE(shield_scan_problem_count(scan, &count), SHIELD_OK);
    CHECK(count == 1);
    CODE(shield_scan_problem(scan, 0, &problem), SHIELD_OK);
    CHECK(error_number(problem, SHIELD_ERROR_CODE) == SHIELD_ERR_MODULE_NOT_FOUND);
    CODE(shield_error_free(problem), SHIELD_OK);
    CODE(shield_scan_free(scan), SHIELD_OK);
}

/* Words for a scan: a program of the time before there were any, the one that is known, and one that is not. */
static void words(const char *module) {
    shield_scan_options options = {.struct_size = offsetof(shield_scan_options, flags), .wait_ms = WAIT};
    shield_text modules[1];
    shield_scan *scan = NULL;
    shield_error *error = NULL;
    modules[0] = text_of(module);
    options.modules.data = modules;
    options.modules.count = 1;
    options.flags = 99; /* behind the end of the older struct: not read */
    CODE(shield_scan_new(&options, &scan, NULL), SHIELD_OK);
    CODE(shield_scan_free(scan), SHIELD_OK);
    options.struct_size = sizeof options;
    options.flags = SHIELD_SCAN_TRY_UNPROVEN_DIALECTS;
    CODE(shield_scan_new(&options, &scan, NULL), SHIELD_OK);
    CODE(shield_scan_free(scan), SHIELD_OK);
    scan = NULL;
    options.flags = 2;
    CODE(shield_scan_new(&options, &scan, &error), SHIELD_ERR_ARGUMENT);
    CHECK(scan == NULL && error_says(error, SHIELD_ERROR_DETAIL, "flags cannot be 2"));
    CODE(shield_error_free(error), SHIELD_OK);
}

static void buffers(void) {
    char text[64], untouched[64];
    size_t needed = 0, whole;
    memset(text, 'x', sizeof text);
    memset(untouched, 'x', sizeof untouched);
    CODE(shield_code_text(SHIELD_ERR_PIN_LOCKED, SHIELD_ERROR_KIND, NULL, 0, &needed), SHIELD_ERR_BUFFER_TOO_SHORT);
    CHECK(needed == sizeof "PinLocked");
    whole = needed;
    CODE(shield_code_text(SHIELD_ERR_PIN_LOCKED, SHIELD_ERROR_KIND, text, whole - 1, &needed), SHIELD_ERR_BUFFER_TOO_SHORT);
    CHECK(needed == whole && memcmp(text, untouched, sizeof text) == 0);
    CODE(shield_code_text(SHIELD_ERR_PIN_LOCKED, SHIELD_ERROR_KIND, text, 0, NULL), SHIELD_ERR_BUFFER_TOO_SHORT);
    CODE(shield_code_text(SHIELD_ERR_PIN_LOCKED, SHIELD_ERROR_KIND, text, whole, NULL), SHIELD_OK);
    CHECK(strcmp(text, "PinLocked") == 0 && text[whole] == 'x');
    CODE(shield_code_text(1, SHIELD_ERROR_KIND, text, sizeof text, NULL), SHIELD_ERR_ARGUMENT);
    CODE(shield_code_text(SHIELD_ERR_PIN_LOCKED, 999, text, sizeof text, NULL), SHIELD_ERR_ARGUMENT);
}

/* Structs of programs that were compiled with an older or a newer header. */
static void sizes(const char *folder) {
    struct {
        shield_verify_options known;
        uint64_t newer[2];
    } options;
    size_t length;
    uint8_t *message = read_file(folder, "synthetic_CEB311_rsa.xml", &length);
    shield_report *report = NULL;
    memset(&options, 0, sizeof options);
    options.known.struct_size = sizeof options;
    options.known.format = SHIELD_FORMAT_DECLARATION;
    options.known.document.data = message;
    options.known.document.length = length;
    CODE(shield_verify(&options.known, &report, NULL), SHIELD_OK);
    CODE(shield_report_free(report), SHIELD_OK);
    options.newer[1] = 1;
    report = NULL;
    CODE(shield_verify(&options.known, &report, NULL), SHIELD_ERR_STRUCT_UNKNOWN);
    CHECK(report == NULL);
    /* One version of the struct ended earlier: each other smaller size is a mistake. */
    options.newer[1] = 0;
    for (options.known.struct_size = 0; options.known.struct_size < sizeof options.known; options.known.struct_size++)
        if (options.known.struct_size != offsetof(shield_verify_options, between))
            CODE(shield_verify(&options.known, &report, NULL), SHIELD_ERR_STRUCT_UNKNOWN);
    options.known.struct_size = offsetof(shield_verify_options, between);
    options.known.crls.count = 99; /* behind the end of the older struct: not read */
    CODE(shield_verify(&options.known, &report, NULL), SHIELD_OK);
    CODE(shield_report_free(report), SHIELD_OK);
    options.known.crls.count = 0;
    options.known.struct_size = sizeof options.known;
    CODE(shield_verify(&options.known, &report, NULL), SHIELD_OK);
    CODE(shield_report_free(report), SHIELD_OK);
    options.known.struct_size = 1 << 20;
    CODE(shield_verify(&options.known, &report, NULL), SHIELD_ERR_STRUCT_UNKNOWN);
    free(message);
}

static void arguments(const char *folder) {
    shield_verify_options options = {sizeof options};
    shield_report *report = NULL;
    shield_error *error = NULL;
    static const char no_utf8[] = "\xff\xfe";
    CODE(shield_verify(&options, &report, NULL), SHIELD_ERR_ARGUMENT);
    options.format = 77;
    CODE(shield_verify(&options, &report, NULL), SHIELD_ERR_ARGUMENT);
    options.format = SHIELD_FORMAT_RAW;
    CODE(shield_verify(&options, &report, NULL), SHIELD_ERR_NULL_POINTER);
    options.role = 9;
    options.document_path = text_of(folder);
    CODE(shield_verify(&options, &report, NULL), SHIELD_ERR_ARGUMENT);
    options.role = 0;
    options.document.length = 3;
    CODE(shield_verify(&options, &report, NULL), SHIELD_ERR_NULL_POINTER);
    options.document.data = (const uint8_t *)"abc";
    CODE(shield_verify(&options, &report, NULL), SHIELD_ERR_ARGUMENT);
    options.document_path.data = NULL;
    options.document_path.length = 0;
    options.certificate.data = (const uint8_t *)"no certificate";
    options.certificate.length = 14;
    CODE(shield_verify(&options, &report, &error), SHIELD_ERR_CERTIFICATE_MALFORMED);
    CHECK(error != NULL);
    CODE(shield_error_free(error), SHIELD_OK);
    options.certificate.length = 0;
    options.certificate.data = NULL;
    options.profile_path.data = no_utf8;
    options.profile_path.length = 2;
    CODE(shield_verify(&options, &report, NULL), SHIELD_ERR_ARGUMENT);
    options.profile_path.length = SIZE_MAX;
    CODE(shield_verify(&options, &report, NULL), SHIELD_ERR_ARGUMENT);
    options.profile_path = text_of("/no/such/profile.toml");
    CODE(shield_verify(&options, &report, NULL), SHIELD_ERR_INPUT_FAILED);
    CHECK(report == NULL);
}

int main(int argc, char **argv) {
    if (argc != 3) return 2;
    version();
    missing_module(argv[2]);
    older_program(argv[2]);
    words(argv[2]);
    buffers();
    sizes(argv[1]);
    arguments(argv[1]);
    return finish("smoke");
}
