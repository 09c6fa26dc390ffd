/* A control: what the sanitizer and valgrind have to find, on request.
 *
 *   control overflow | leak | nothing
 */
#include "check.h"

int main(int argc, char **argv) {
    const char *what = argc > 1 ? argv[1] : "nothing";
    size_t i, room = strlen("0123456789") + (size_t)argc * 0;
    uint32_t abi = 0;
    CODE(shield_abi_version(&abi), SHIELD_OK);
    if (strcmp(what, "overflow") == 0) {
        volatile char *octets = malloc(room);
        for (i = 0; i <= room; i++) octets[i] = (char)i;
        free((void *)octets);
    } else if (strcmp(what, "leak") == 0) {
        for (i = 0; i < 3; i++) {
            volatile char *lost = malloc(70);
            lost[0] = (char)i;
        }
    }
    return finish("control");
}
