/* Verification by a C program, without a token: messages and payments of the vectors, their chains, and why one of them is wrong.
 *
 *   verdicts FOLDER-OF-VECTORS
 */
#include "check.h"

/* 2027-01-01: the vectors' certificates are valid then. */
#define THEN 1798761600

/* A question about a document in this format, then. */
static shield_verify_options asked(uint32_t format) {
    shield_verify_options options = {sizeof options};
    options.format = format;
    options.at_given = 1;
    options.at = THEN;
    return options;
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
    shield_verify_options options = asked(SHIELD_FORMAT_DECLARATION);
    int i, found;
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
        shield_verify_options options = asked(SHIELD_FORMAT_PAYMENT_179);
        options.document.data = string;
        options.document.length = length;
        options.signature.data = value;
        options.signature.length = value_length;
        options.certificate.data = certificate;
        options.certificate.length = certificate_length;
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
    shield_verify_options options = asked(SHIELD_FORMAT_PAYMENT);
    size_t length, order_length;
    uint8_t *order = read_file(folder, "synthetic_order.txt", &order_length), *message;
    int i, found;
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
    shield_verify_options options = asked(SHIELD_FORMAT_DECLARATION);
    shield_octets anchors[2];
    shield_report *report = NULL;
    char both[8192];
    int found;
    options.document.data = message;
    options.document.length = length;
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

/* A text that does not fit is not given at all: nobody gets half of a Chinese character. */
static void whole_or_nothing(const shield_report *report, size_t index, uint32_t field) {
    char whole[1024], part[1024];
    size_t length = 0, needed, room, i;
    CODE(shield_report_finding_text(report, index, field, whole, sizeof whole, &length), SHIELD_OK);
    CHECK(length == strlen(whole) + 1);
    memset(part, '?', sizeof part);
    for (room = 0; room < length; room++) {
        needed = 0;
        CODE(shield_report_finding_text(report, index, field, part, room, &needed), SHIELD_ERR_BUFFER_TOO_SHORT);
        for (i = 0; i < sizeof part && part[i] == '?'; i++);
        CHECK(needed == length && i == sizeof part);
    }
    CODE(shield_report_finding_text(report, index, field, part, length, NULL), SHIELD_OK);
    CHECK(strcmp(part, whole) == 0 && part[length] == '?');
}

/* Why a message is wrong: cause, place, what was expected and found, and what to do, in both languages and as JSON. */
static void explained(const char *folder) {
    size_t length, needed = 0;
    uint8_t *message = read_file(folder, "synthetic_CEB311_rsa.xml", &length);
    shield_verify_options options = asked(SHIELD_FORMAT_DECLARATION);
    shield_report *report = NULL;
    char *place = strstr((char *)message, " xmlns:xsi="), *end = strchr(place + 12, '"') + 1, text[1024], *json;
    int64_t count = 0, i, offset = 0, line = 0, seen = 0;
    uint8_t *gone;
    memmove(place, end, length - (size_t)(end - (char *)message));
    length -= (size_t)(end - place);
    gone = malloc(length);
    memcpy(gone, message, length);
    options.document.data = gone;
    options.document.length = length;
    CODE(shield_verify(&options, &report, NULL), SHIELD_OK);
    /* A report stands for itself: the document may go. */
    memset(gone, 0, length);
    free(gone);
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
        whole_or_nothing(report, n, SHIELD_FINDING_FOUND_ZH);
        whole_or_nothing(report, n, SHIELD_FINDING_LINE_OF_TEXT_ZH);
    }
    CHECK(seen == 1);
    CODE(shield_report_finding_text(report, 0, 99, text, sizeof text, NULL), SHIELD_ERR_ARGUMENT);
    CODE(shield_report_finding_number(report, 0, 99, &offset), SHIELD_ERR_ARGUMENT);
    CODE(shield_report_finding_number(report, SIZE_MAX, SHIELD_FINDING_LINE, &line), SHIELD_ERR_ARGUMENT);
    CODE(shield_report_text(report, SHIELD_REPORT_JSON, NULL, 0, &needed), SHIELD_ERR_BUFFER_TOO_SHORT);
    json = calloc(needed, 1);
    CODE(shield_report_text(report, SHIELD_REPORT_JSON, json, needed - 1, NULL), SHIELD_ERR_BUFFER_TOO_SHORT);
    CHECK(json[0] == 0);
    CODE(shield_report_text(report, SHIELD_REPORT_JSON, json, needed, NULL), SHIELD_OK);
    CHECK(needed == strlen(json) + 1 && json[needed - 2] == '}');
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
    shield_verify_options options = asked(SHIELD_FORMAT_DECLARATION);
    shield_octets anchors[1], lists[1];
    shield_report *report = NULL;
    int found;
    options.document.data = message;
    options.document.length = length;
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
    CODE(shield_verify(&options, &report, NULL), SHIELD_ERR_CRL_MALFORMED);
    CHECK(report == NULL);
    free(message);
    free(rsa);
}

int main(int argc, char **argv) {
    if (argc != 2) return 2;
    declarations(argv[1]);
    payment_179(argv[1]);
    payments(argv[1]);
    explained(argv[1]);
    chains(argv[1]);
    bundles(argv[1]);
    return finish("verdicts");
}
