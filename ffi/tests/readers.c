/* What a scan says of readers that cannot be looked at, and that modules work all the same.
 *
 *   readers KIND DETAIL [MODULE PROFILE BANK-PIN]
 *
 * KIND is the name of the kind of error, or * for any; DETAIL a part of what exactly was met.
 */
#include "desk.h"

static const char *kind, *detail, *bank_pin;

static void is_about_readers(const shield_error *error) {
    CHECK(error != NULL);
    CHECK(error_number(error, SHIELD_ERROR_CODE) >= 0x1000 && error_number(error, SHIELD_ERROR_CODE) < 0x2000);
    CHECK(error_number(error, SHIELD_ERROR_RECOVERY) != SHIELD_RECOVERY_NONE);
    CHECK(error_number(error, SHIELD_ERROR_TRIES) == SHIELD_TRIES_NONE);
    CHECK(error_says(error, SHIELD_ERROR_OPERATION, "SCard"));
    CHECK(strcmp(kind, "*") == 0 || error_says(error, SHIELD_ERROR_KIND, kind));
    CHECK(error_says(error, SHIELD_ERROR_DETAIL, detail));
    if (strcmp(kind, "ServiceMissing") == 0) {
        CHECK(error_number(error, SHIELD_ERROR_RECOVERY) == SHIELD_RECOVERY_INSTALL_DRIVER);
        CHECK(error_says(error, SHIELD_ERROR_SHORT_CODE, "SH-1023"));
        CHECK(error_says(error, SHIELD_ERROR_MESSAGE, "or use a PKCS#11 module"));
    }
}

/* The readers are the one problem, and there are so many shields. */
static void scan_finds(const shield_scan_options *options, size_t shields) {
    shield_scan *found = NULL;
    shield_device *opened = NULL;
    shield_error *problem = NULL;
    size_t count = 99;
    CODE(shield_scan_new(options, &found, NULL), SHIELD_OK);
    CODE(shield_scan_count(found, &count), SHIELD_OK);
    CHECK(count == shields);
    CODE(shield_scan_problem_count(found, &count), SHIELD_OK);
    CHECK(count == 1);
    CODE(shield_scan_problem(found, 0, &problem), SHIELD_OK);
    is_about_readers(problem);
    CODE(shield_error_free(problem), SHIELD_OK);
    if (shields == 0) {
        problem = NULL;
        CHECK(shield_open(found, NULL, &opened, &problem) != SHIELD_OK && opened == NULL);
        is_about_readers(problem);
        CODE(shield_error_free(problem), SHIELD_OK);
    }
    CODE(shield_scan_free(found), SHIELD_OK);
}

/* A module is there: it is used, whatever the readers say. */
static void modules_go_on(const char *module, const char *profile) {
    shield_text modules[1];
    shield_scan_options options = {.struct_size = sizeof options, .wait_ms = WAIT};
    shield_request request = raw(SHIELD_ROLE_BANK);
    shield_pin pin = pin_of(bank_pin);
    shield_bytes *signed_bytes = NULL;
    shield_receipt *receipt = NULL;
    size_t count = 99;
    modules[0] = text_of(module);
    options.modules.data = modules;
    options.modules.count = 1;
    options.profile_path = text_of(profile);
    options.readers = SHIELD_READERS_ON;
    scan_finds(&options, 1);
    open_desk(module, profile);
    CODE(shield_scan_problem_count(scan, &count), SHIELD_OK);
    CHECK(count == 0); /* nobody asked for readers */
    CODE(shield_sign(device, &request, &pin, &signed_bytes, &receipt, NULL), SHIELD_OK);
    CODE(shield_bytes_free(signed_bytes), SHIELD_OK);
    CODE(shield_receipt_free(receipt), SHIELD_OK);
    close_desk();
}

int main(int argc, char **argv) {
    shield_scan_options options = {.struct_size = sizeof options, .wait_ms = WAIT};
    if (argc != 3 && argc != 6) return 2;
    kind = argv[1], detail = argv[2];
    scan_finds(&options, 0);
    options.readers = SHIELD_READERS_ON;
    scan_finds(&options, 0);
    options.struct_size = offsetof(shield_scan_options, reference); /* an older program that names no module */
    scan_finds(&options, 0);
    if (argc == 6) {
        bank_pin = argv[5];
        modules_go_on(argv[3], argv[4]);
    }
    return finish("readers");
}
