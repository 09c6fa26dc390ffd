/* A device of GM/T 0017 in a reader: a declaration under the customs PIN and a payment under the bank's, with SM2, and each PIN for itself.
 *
 *   shared PROFILE CUSTOMS-PIN BANK-PIN DECLARATION ORDER FOLDER
 */
#include "desk.h"

static const char *customs_pin, *bank_pin, *declaration, *folder;
static shield_octets order;

/* Each party has a certificate that signs and one for encryption, behind one door and in its own application. */
static void list(void) {
    shield_credential *const both[] = {customs, bank};
    static const char *const places[] = {"/eport:", "/bank:"};
    char text[512];
    size_t count = 0, i;
    int64_t value = 0, encrypts = 0;
    CODE(shield_scan_count(scan, &count), SHIELD_OK);
    CHECK(count == 1);
    CODE(shield_device_credential_count(device, &count), SHIELD_OK);
    CHECK(count == 4);
    for (i = 0; i < count; i++) {
        shield_credential *one = NULL;
        CODE(shield_device_credential_at(device, i, &one), SHIELD_OK);
        CODE(shield_credential_number(one, SHIELD_CREDENTIAL_STANDING, &value), SHIELD_OK);
        encrypts += value == SHIELD_STANDING_ENCRYPTION;
        CODE(shield_credential_free(one), SHIELD_OK);
    }
    CHECK(encrypts == 2);
    for (i = 0; i < 2; i++) {
        CODE(shield_credential_number(both[i], SHIELD_CREDENTIAL_STANDING, &value), SHIELD_OK);
        CHECK(value == SHIELD_STANDING_SERVES);
        CODE(shield_credential_route(both[i], 0, SHIELD_ROUTE_DOOR, text, sizeof text, NULL), SHIELD_OK);
        CHECK(memcmp(text, "gm0017:", 7) == 0);
        CODE(shield_credential_route(both[i], 0, SHIELD_ROUTE_REFERENCE, text, sizeof text, NULL), SHIELD_OK);
        CHECK(strstr(text, places[i]) != NULL);
    }
}

/* What a receipt says of a signature that a simulator made with SM2. */
static void receipt_says(shield_receipt *receipt, int64_t role) {
    char text[256];
    int64_t number = 0, notes = 0, i;
    int simulated = 0;
    CODE(shield_receipt_number(receipt, SHIELD_RECEIPT_ROLE, &number), SHIELD_OK);
    CHECK(number == role);
    CODE(shield_receipt_text(receipt, SHIELD_RECEIPT_SUITE, text, sizeof text, NULL), SHIELD_OK);
    CHECK(strcmp(text, "sm2-sm3") == 0);
    CODE(shield_receipt_number(receipt, SHIELD_RECEIPT_NOTES, &notes), SHIELD_OK);
    for (i = 0; i < notes; i++) {
        CODE(shield_receipt_note(receipt, (size_t)i, SHIELD_LANGUAGE_EN, text, sizeof text, NULL), SHIELD_OK);
        simulated |= strstr(text, "simulator") != NULL;
    }
    CHECK(simulated);
    CODE(shield_receipt_free(receipt), SHIELD_OK);
}

/* Nobody is asked for one party's PIN in the other's name, and tries are those of the party that is asked for. */
static void sign_both(void) {
    shield_request request = {.struct_size = sizeof request, .wait_ms = WAIT};
    struct asked a = {0, NULL, 0, 0, 0, 0};
    shield_pin pin = {.struct_size = sizeof pin, .ask = ask, .userdata = &a};
    request.format = SHIELD_FORMAT_DECLARATION;
    request.document_path = text_of(declaration);
    a.digits = customs_pin;
    receipt_says(signs_file(&request, &pin, folder, "signed.xml", customs, bank), SHIELD_ROLE_CUSTOMS);
    CHECK(a.times == 1 && a.role == SHIELD_ROLE_CUSTOMS && a.also == 0);
    CHECK(a.tries == SHIELD_TRIES_KNOWN && a.left == 5);

    request.format = SHIELD_FORMAT_PAYMENT;
    request.document_path = text_of(NULL);
    request.document = order;
    a.digits = bank_pin;
    receipt_says(signs_file(&request, &pin, folder, "order.p7m", bank, customs), SHIELD_ROLE_BANK);
    CHECK(a.times == 2 && a.role == SHIELD_ROLE_BANK && a.also == 0);
    CHECK(a.tries == SHIELD_TRIES_KNOWN && a.left == 6);
}

/* The bank's PIN opens nothing at customs: one try is gone there and none at the bank, and the right PINs sign as before. */
static void each_pin_for_itself(void) {
    struct asked a = {0, bank_pin, 0, 0, 0, 0};
    shield_pin pin = {.struct_size = sizeof pin, .ask = ask, .userdata = &a};
    shield_request request = raw(SHIELD_ROLE_CUSTOMS);
    shield_bytes *signed_bytes = NULL;
    shield_receipt *receipt = NULL;
    shield_error *error = NULL;
    CODE(shield_sign(device, &request, &pin, &signed_bytes, &receipt, &error), SHIELD_ERR_PIN_INCORRECT);
    CHECK(signed_bytes == NULL && receipt == NULL);
    CHECK(error_number(error, SHIELD_ERROR_ROLE) == SHIELD_ROLE_CUSTOMS);
    CHECK(error_number(error, SHIELD_ERROR_TRIES) == SHIELD_TRIES_KNOWN);
    CHECK(error_number(error, SHIELD_ERROR_TRIES_LEFT) == 4);
    CODE(shield_error_free(error), SHIELD_OK);
    request = raw(SHIELD_ROLE_BANK);
    CODE(shield_sign(device, &request, &pin, &signed_bytes, &receipt, NULL), SHIELD_OK);
    CHECK(a.times == 2 && a.left == 6);
    CODE(shield_bytes_free(signed_bytes), SHIELD_OK);
    CODE(shield_receipt_free(receipt), SHIELD_OK);
    signed_bytes = NULL, receipt = NULL;
    request = raw(SHIELD_ROLE_CUSTOMS);
    a.digits = customs_pin;
    CODE(shield_sign(device, &request, &pin, &signed_bytes, &receipt, NULL), SHIELD_OK);
    CHECK(a.times == 3 && a.left == 4);
    CODE(shield_bytes_free(signed_bytes), SHIELD_OK);
    CODE(shield_receipt_free(receipt), SHIELD_OK);
}

int main(int argc, char **argv) {
    if (argc != 7) return 2;
    customs_pin = argv[2], bank_pin = argv[3], declaration = argv[4], folder = argv[6];
    order.data = (const uint8_t *)argv[5], order.length = strlen(argv[5]);
    open_desk(NULL, argv[1]);
    list();
    sign_both();
    each_pin_for_itself();
    close_desk();
    return finish("shared");
}
