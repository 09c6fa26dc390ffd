/* A shield with two certificates, each under its own PIN, and what the programs about it share. */
#ifndef DESK_H
#define DESK_H

#include "check.h"

static shield_scan *scan;
static shield_device *device;
static shield_credential *customs, *bank;

/* Without a module: by the computer's readers. */
static inline void open_desk(const char *module, const char *profile) {
    shield_text modules[1];
    shield_scan_options options = {.struct_size = sizeof options, .wait_ms = WAIT};
    shield_selector selector = {sizeof selector};
    modules[0] = text_of(module);
    options.modules.data = modules;
    options.modules.count = module != NULL;
    options.profile_path = text_of(profile);
    CODE(shield_scan_new(&options, &scan, NULL), SHIELD_OK);
    CODE(shield_open(scan, NULL, &device, NULL), SHIELD_OK);
    selector.role = SHIELD_ROLE_CUSTOMS;
    CODE(shield_device_credential(device, &selector, &customs, NULL), SHIELD_OK);
    selector.role = SHIELD_ROLE_BANK;
    CODE(shield_device_credential(device, &selector, &bank, NULL), SHIELD_OK);
}

static inline void close_desk(void) {
    CODE(shield_credential_free(customs), SHIELD_OK);
    CODE(shield_credential_free(bank), SHIELD_OK);
    CODE(shield_device_free(device), SHIELD_OK);
    CODE(shield_scan_free(scan), SHIELD_OK);
}

static inline shield_pin pin_of(const char *digits) {
    shield_pin pin = {sizeof pin};
    pin.octets.data = (const uint8_t *)digits;
    pin.octets.length = strlen(digits);
    return pin;
}

/* A person at a dialog: types `digits`, and keeps what it was asked. */
struct asked {
    int times;
    const char *digits;
    uint32_t role, also, tries, left;
};

static inline uint32_t SHIELD_CALL ask(void *userdata, const shield_pin_question *question, uint8_t *buffer, size_t capacity,
                                       size_t *length) {
    struct asked *a = userdata;
    a->times++;
    a->role = question->role, a->also = question->also_opens;
    a->tries = question->tries, a->left = question->tries_left;
    *length = strlen(a->digits);
    CHECK(*length <= capacity);
    memcpy(buffer, a->digits, *length);
    return SHIELD_PIN_TYPED;
}

static inline shield_request raw(uint32_t role) {
    shield_request request = {.struct_size = sizeof request, .wait_ms = WAIT};
    request.format = SHIELD_FORMAT_RAW;
    request.role = role;
    request.document.data = (const uint8_t *)"order 4711";
    request.document.length = 10;
    return request;
}

/* Verifies with the pinned certificate of a role: plainly valid, or not. */
static inline int64_t verdict(const shield_verify_options *how, shield_credential *of, shield_octets document, shield_octets value) {
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

/* Signs into a file of `folder`. Its signature is right by the certificate of `of`, and neither by that of `other` nor with an octet changed. */
static inline shield_receipt *signs_file(const shield_request *request, const shield_pin *pin, const char *folder, const char *name,
                                         shield_credential *of, shield_credential *other) {
    shield_verify_options how = {.struct_size = sizeof how, .format = request->format};
    shield_receipt *receipt = NULL;
    shield_octets document, none = {NULL, 0};
    uint8_t *octets;
    char path[1024];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    CODE(shield_sign_file(device, request, pin, path, strlen(path), &receipt, NULL), SHIELD_OK);
    document.data = octets = read_file(folder, name, &document.length);
    CHECK(verdict(&how, of, document, none) == SHIELD_VERDICT_VALID);
    CHECK(verdict(&how, other, document, none) != SHIELD_VERDICT_VALID);
    octets[document.length / 2] ^= 1;
    CHECK(verdict(&how, of, document, none) != SHIELD_VERDICT_VALID);
    free(octets);
    return receipt;
}

static inline shield_octets copied(shield_bytes *bytes) {
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

#endif
