/* The first steps of a C program, without a token: version, a missing driver, errors, buffers,
 * options of other sizes, verification of the vectors.
 *
 *   smoke FOLDER-OF-VECTORS PATH-OF-A-MISSING-MODULE
 */
#include "check.h"

/* 2027-01-01: the vectors' certificates are valid then. */
#define THEN 1798761600

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

/* Verifies and gives the verdict, or -1; `found` gets whether a finding with that code is there. */
static int64_t judge(const shield_verify_options *options, const char *code, int *found) {
    shield_report *report = NULL;
    shield_error *error = NULL;
    int64_t verdict = -1, count = 0, i;
    char text[512];
    *found = 0;
    if (shield_verify(options, &report, &error) != SHIELD_OK) {
        error_says(error, SHIELD_ERROR_MESSAGE, "\n");
        shield_error_free(error);
        return -1;
    }
    CODE(shield_report_number(report, SHIELD_REPORT_VERDICT, &verdict), SHIELD_OK);
    CODE(shield_report_number(report, SHIELD_REPORT_FINDINGS, &count), SHIELD_OK);
    for (i = 0; i < count; i++) {
        int64_t severity = 0;
        CODE(shield_report_finding_text(report, (size_t)i, SHIELD_FINDING_CODE, text, sizeof text, NULL), SHIELD_OK);
        if (strcmp(text, code) == 0) *found = 1;
        CODE(shield_report_finding_number(report, (size_t)i, SHIELD_FINDING_SEVERITY, &severity), SHIELD_OK);
        CHECK(severity >= SHIELD_SEVERITY_INFO && severity <= SHIELD_SEVERITY_WRONG);
        CODE(shield_report_finding_text(report, (size_t)i, SHIELD_FINDING_TEXT_ZH, text, sizeof text, NULL), SHIELD_OK);
        CHECK(text[0] != 0);
    }
    CODE(shield_report_finding_text(report, (size_t)count, SHIELD_FINDING_CODE, text, sizeof text, NULL), SHIELD_ERR_ARGUMENT);
    CODE(shield_report_text(report, SHIELD_REPORT_SIGNER_FINGERPRINT, text, sizeof text, NULL), SHIELD_OK);
    CODE(shield_report_free(report), SHIELD_OK);
    return verdict;
}

static void declarations(const char *folder) {
    static const char *const names[] = {"synthetic_CEB311_rsa.xml", "synthetic_CEB311_sm2.xml"};
    shield_verify_options options = {sizeof options};
    int i, found;
    options.format = SHIELD_FORMAT_DECLARATION;
    options.at_given = 1;
    options.at = THEN;
    for (i = 0; i < 2; i++) {
        size_t length;
        uint8_t *message = read_file(folder, names[i], &length);
        char *place;
        options.document.data = message;
        options.document.length = length;
        CHECK(judge(&options, "VF-001", &found) == SHIELD_VERDICT_SIGNATURE_ONLY && found);
        options.role = SHIELD_ROLE_BANK;
        CHECK(judge(&options, "VF-140", &found) == SHIELD_VERDICT_INVALID && found);
        options.role = 0;
        /* A newline behind the Signature element is named as the reason. */
        place = strstr((char *)message, "</ds:Signature>") + strlen("</ds:Signature>");
        memmove(place + 1, place, length - (size_t)(place - (char *)message));
        *place = '\n';
        options.document.length = length + 1;
        CHECK(judge(&options, "VF-103", &found) == SHIELD_VERDICT_INVALID && found);
        memmove(place, place + 1, length - (size_t)(place - (char *)message));
        options.document.length = length;
        CHECK(judge(&options, "VF-001", &found) == SHIELD_VERDICT_SIGNATURE_ONLY && found);
        /* One octet of the body. */
        place = strstr((char *)message, "2024");
        CHECK(place != NULL);
        if (place) place[3] = '5';
        CHECK(judge(&options, "VF-102", &found) == SHIELD_VERDICT_INVALID && found);
        options.document.length = 40;
        CHECK(judge(&options, "", &found) <= 0);
        free(message);
    }
}

static void payment_179(const char *folder) {
    static const char *const names[] = {"synthetic_179_sig_rsa.b64", "synthetic_179_sig_sm2.b64"};
    static const char *const certificates[] = {"synthetic_rsa_cert.pem", "synthetic_sm2_cert.pem"};
    shield_octets anchors[1];
    int i, found;
    for (i = 0; i < 2; i++) {
        size_t length, value_length, certificate_length;
        uint8_t *string = read_file(folder, "synthetic_179_string.txt", &length);
        uint8_t *value = read_file(folder, names[i], &value_length);
        uint8_t *certificate = read_file(folder, certificates[i], &certificate_length);
        shield_verify_options options = {sizeof options};
        options.format = SHIELD_FORMAT_PAYMENT_179;
        options.document.data = string;
        options.document.length = length;
        options.signature.data = value;
        options.signature.length = value_length;
        options.certificate.data = certificate;
        options.certificate.length = certificate_length;
        options.at_given = 1;
        options.at = THEN;
        CHECK(judge(&options, "VF-001", &found) == SHIELD_VERDICT_SIGNATURE_ONLY && found);
        anchors[0] = options.certificate;
        options.anchors.data = anchors;
        options.anchors.count = 1;
        CHECK(judge(&options, "VF-134", &found) == SHIELD_VERDICT_VALID && !found);
        /* A newline at the end is named as the reason. */
        string[length] = '\n';
        options.document.length = length + 1;
        CHECK(judge(&options, "VF-201", &found) == SHIELD_VERDICT_INVALID && found);
        options.document.length = length;
        string[20] ^= 1;
        CHECK(judge(&options, "VF-101", &found) == SHIELD_VERDICT_INVALID && found);
        free(string);
        free(value);
        free(certificate);
    }
}

/* Payments as CMS: attached with RSA and with P-256, detached and without attributes; and each with one octet changed. */
static void payments(const char *folder) {
    static const char *const names[] = {"synthetic_cms_attached_rsa.p7m", "synthetic_cms_attached_p256.p7m"};
    shield_verify_options options = {sizeof options};
    size_t length, order_length;
    uint8_t *order = read_file(folder, "synthetic_order.txt", &order_length), *message;
    int i, found;
    options.format = SHIELD_FORMAT_PAYMENT;
    options.at_given = 1;
    options.at = THEN;
    for (i = 0; i < 2; i++) {
        size_t place = 0;
        message = read_file(folder, names[i], &length);
        options.document.data = message;
        options.document.length = length;
        CHECK(judge(&options, "VF-001", &found) == SHIELD_VERDICT_SIGNATURE_ONLY && found);
        CHECK(judge(&options, "VF-002", &found) == SHIELD_VERDICT_SIGNATURE_ONLY && found);
        while (place + order_length < length && memcmp(message + place, order, order_length) != 0) place++;
        CHECK(place + order_length < length);
        message[place] ^= 1;
        CHECK(judge(&options, "VF-102", &found) == SHIELD_VERDICT_INVALID && found);
        message[place] ^= 1;
        message[length - 1] ^= 1;
        CHECK(judge(&options, "VF-101", &found) == SHIELD_VERDICT_INVALID && found);
        options.document.length = length - 1;
        CHECK(judge(&options, "", &found) == -1);
        free(message);
    }
    message = read_file(folder, "synthetic_cms_detached_rsa.pem", &length);
    options.document.data = message;
    options.document.length = length;
    CHECK(judge(&options, "VF-304", &found) == SHIELD_VERDICT_INVALID && found);
    options.signature = options.document;
    options.document.data = order;
    options.document.length = order_length;
    CHECK(judge(&options, "VF-314", &found) == SHIELD_VERDICT_SIGNATURE_ONLY && found);
    order[5] ^= 1;
    CHECK(judge(&options, "VF-101", &found) == SHIELD_VERDICT_INVALID && found);
    free(message);
    free(order);
}

/* Trusted issuers as they come in a file: several in one text, each of them counts. */
static void bundles(const char *folder) {
    size_t length, rsa_length, sm2_length;
    uint8_t *message = read_file(folder, "synthetic_CEB311_rsa.xml", &length);
    uint8_t *rsa = read_file(folder, "synthetic_rsa_cert.pem", &rsa_length);
    uint8_t *sm2 = read_file(folder, "synthetic_sm2_cert.pem", &sm2_length);
    shield_verify_options options = {sizeof options};
    shield_octets anchors[2];
    shield_report *report = NULL;
    char both[8192];
    int found;
    options.format = SHIELD_FORMAT_DECLARATION;
    options.document.data = message;
    options.document.length = length;
    options.at_given = 1;
    options.at = THEN;
    options.anchors.data = anchors;
    options.anchors.count = 1;
    anchors[0].data = sm2;
    anchors[0].length = sm2_length;
    CHECK(judge(&options, "VF-133", &found) == SHIELD_VERDICT_INVALID && found);
    anchors[0].data = (const uint8_t *)both;
    anchors[0].length = (size_t)snprintf(both, sizeof both, "issuers\n%s\n%s", (char *)sm2, (char *)rsa);
    CHECK(judge(&options, "VF-133", &found) == SHIELD_VERDICT_VALID && !found);
    /* Cut off within the second: not passed over. */
    anchors[0].length -= 40;
    CODE(shield_verify(&options, &report, NULL), SHIELD_ERR_CERTIFICATE_MALFORMED);
    anchors[0].length = (size_t)snprintf(both, sizeof both, "%s%s", (char *)rsa, (char *)sm2);
    CHECK(judge(&options, "VF-133", &found) == SHIELD_VERDICT_VALID && !found);
    anchors[0].data = sm2;
    anchors[0].length = sm2_length;
    anchors[1].data = rsa;
    anchors[1].length = rsa_length;
    options.anchors.count = 2;
    CHECK(judge(&options, "VF-133", &found) == SHIELD_VERDICT_VALID && !found);
    /* A certificate that is given, and is not the one of the message. */
    options.certificate = anchors[0];
    CHECK(judge(&options, "VF-123", &found) == SHIELD_VERDICT_INVALID && found);
    options.certificate = anchors[1];
    CHECK(judge(&options, "VF-123", &found) == SHIELD_VERDICT_VALID && !found);
    CHECK(report == NULL);
    free(message);
    free(rsa);
    free(sm2);
}

/* Why a message is wrong: cause, place, what was expected and found, and what to do, in both languages and as JSON. */
static void explained(const char *folder) {
    size_t length, needed = 0;
    uint8_t *message = read_file(folder, "synthetic_CEB311_rsa.xml", &length);
    shield_verify_options options = {sizeof options};
    shield_report *report = NULL;
    char *place = strstr((char *)message, " xmlns:xsi="), *end = strchr(place + 12, '"') + 1, text[1024], *json;
    int64_t count = 0, i, offset = 0, line = 0, seen = 0;
    memmove(place, end, length - (size_t)(end - (char *)message));
    options.format = SHIELD_FORMAT_DECLARATION;
    options.document.data = message;
    options.document.length = length - (size_t)(end - place);
    options.at_given = 1;
    options.at = THEN;
    CODE(shield_verify(&options, &report, NULL), SHIELD_OK);
    CODE(shield_report_number(report, SHIELD_REPORT_FINDINGS, &count), SHIELD_OK);
    for (i = 0; i < count; i++) {
        size_t n = (size_t)i;
        CODE(shield_report_finding_text(report, n, SHIELD_FINDING_CODE, text, sizeof text, NULL), SHIELD_OK);
        if (strcmp(text, "VF-161") != 0) continue;
        seen++;
        CODE(shield_report_finding_number(report, n, SHIELD_FINDING_OFFSET, &offset), SHIELD_OK);
        CODE(shield_report_finding_number(report, n, SHIELD_FINDING_LINE, &line), SHIELD_OK);
        CHECK(line == 2 && memcmp(message + offset, "<ceb:CEB311Message ", 19) == 0);
        CODE(shield_report_finding_text(report, n, SHIELD_FINDING_KIND, text, sizeof text, NULL), SHIELD_OK);
        CHECK(strcmp(text, "NamespaceLost") == 0);
        CODE(shield_report_finding_text(report, n, SHIELD_FINDING_EXPECTED, text, sizeof text, NULL), SHIELD_OK);
        CHECK(strcmp(text, "xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\"") == 0);
        CODE(shield_report_finding_text(report, n, SHIELD_FINDING_FOUND_ZH, text, sizeof text, NULL), SHIELD_OK);
        CHECK(strcmp(text, "\xe6\x97\xa0\xe6\xad\xa4\xe5\xa3\xb0\xe6\x98\x8e") == 0);
        CODE(shield_report_finding_text(report, n, SHIELD_FINDING_ADVICE, text, sizeof text, NULL), SHIELD_OK);
        CHECK(strstr(text, "put the declaration back") != NULL);
        CODE(shield_report_finding_text(report, n, SHIELD_FINDING_ADVICE_ZH, text, sizeof text, NULL), SHIELD_OK);
        CHECK(text[0] != 0);
        CODE(shield_report_finding_text(report, n, SHIELD_FINDING_LINE_OF_TEXT_ZH, text, sizeof text, NULL), SHIELD_OK);
        CHECK(strncmp(text, "VF-161 ", 7) == 0);
    }
    CHECK(seen == 1);
    CODE(shield_report_text(report, SHIELD_REPORT_JSON, NULL, 0, &needed), SHIELD_ERR_BUFFER_TOO_SHORT);
    json = calloc(needed, 1);
    CODE(shield_report_text(report, SHIELD_REPORT_JSON, json, needed, NULL), SHIELD_OK);
    CHECK(json[0] == '{' && strstr(json, "\"code\":\"VF-161\"") && strstr(json, "\"verdict\":\"invalid\""));
    free(json);
    CODE(shield_report_free(report), SHIELD_OK);
    free(message);
}

/* Authorities between and revocation lists belong to anchors; what cannot be read is an error and no verdict. */
static void chains(const char *folder) {
    size_t length, rsa_length;
    uint8_t *message = read_file(folder, "synthetic_CEB311_rsa.xml", &length);
    uint8_t *rsa = read_file(folder, "synthetic_rsa_cert.pem", &rsa_length);
    shield_verify_options options = {sizeof options};
    shield_octets anchors[1], lists[1];
    shield_report *report = NULL;
    int found;
    options.format = SHIELD_FORMAT_DECLARATION;
    options.document.data = message;
    options.document.length = length;
    options.at_given = 1;
    options.at = THEN;
    anchors[0].data = rsa;
    anchors[0].length = rsa_length;
    options.between.data = anchors;
    options.between.count = 1;
    CODE(shield_verify(&options, &report, NULL), SHIELD_ERR_ARGUMENT);
    options.anchors = options.between;
    /* An anchor is trusted in itself: no list has to say anything of it. */
    options.crls.data = lists;
    CHECK(judge(&options, "VF-137", &found) == SHIELD_VERDICT_VALID && !found);
    lists[0] = anchors[0];
    options.crls.count = 1;
    CODE(shield_verify(&options, &report, NULL), SHIELD_ERR_CERTIFICATE_MALFORMED);
    CHECK(report == NULL);
    free(message);
    free(rsa);
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
    declarations(argv[1]);
    payment_179(argv[1]);
    payments(argv[1]);
    explained(argv[1]);
    chains(argv[1]);
    bundles(argv[1]);
    sizes(argv[1]);
    arguments(argv[1]);
    return finish("smoke");
}
