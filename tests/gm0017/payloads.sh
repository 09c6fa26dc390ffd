#!/usr/bin/env bash
# Payloads of GM/T 0017 commands by OpenSSL alone, from the description of the dialects: lines of `dialect.value hex`. The simulator is held to
# them, as the driver is to those of cryptograms.sh: two hands wrote the two, so that one mistake does not serve both.
#
#   tests/gm0017/payloads.sh [PIN [ADMIN-PIN [NEW-PIN [RANDOM [APPID [DEVICE-KEY [NEW-DEVICE-KEY]]]]]]]
#
# PINs are text, the rest is hex: 8 octets of random, 2 of an application's id, 16 of a key.
set -euo pipefail
pin=${1-12345678} admin=${2-87654321} new=${3-654321} random=${4-0102030405060708} app=${5-1000}
device=${6-31323334353637383132333435363738} device_new=${7-000102030405060708090a0b0c0d0e0f}

# With od and printf, which every system has; octets in, hex out, and the other way.
octets_as_hex() { od -An -v -tx1 | tr -d ' \n'; }
hex() { printf %s "$1" | octets_as_hex; }
raw() { printf %b "$(sed 's/../\\x&/g' <<<"$1")"; }
pad() { local h=$1; while [ ${#h} -lt 32 ]; do h+=00; done; printf %s "$h"; }
half() { cut -c 1-32; }
sha1() { raw "$1" | openssl dgst -sha1 -r | half; }
sm3() { raw "$1" | openssl dgst -sm3 -r | half; }
ecb() { raw "$2" | openssl enc -sm4-ecb -K "$1" -nopad | octets_as_hex; }
# The last block of CBC; MAC: its first four octets. Input: header, Lc as `hi lo 00 00`, data, 80, zeros.
mac() { # mac KEY HEADER LC DATA
    local input=$2${3}0000$4'80'
    while [ $((${#input} % 32)) -ne 0 ]; do input+=00; done
    raw "$input" | openssl enc -sm4-cbc -K "$1" -iv "$(pad "$random")" -nopad | octets_as_hex | tail -c 32 | cut -c 1-8
}

framed=0800${random}80
f=$(sha1 "$(pad "$(hex "$pin")")") f_admin=$(sha1 "$(pad "$(hex "$admin")")")
o=$(sha1 "$(hex "$pin")") g=$(sm3 "$(hex "$pin")")
echo "syno-2015.pin-key $f"
echo "usbtool.pin-key $o"
echo "gm3000.pin-key $g"
echo "syno-2015.verify $(ecb "$f" "$(pad "$random")")"
echo "usbtool.verify $(ecb "$o" "$(pad "$framed")")"
echo "gm3000.verify $(ecb "$g" "$(pad "$framed")")"
# ChangePIN of the user and UnblockPIN: application, new PIN under the key, MAC. Lc is 22.
data=$app$(ecb "$f" "$(pad "$(hex "$new")")")
echo "syno-2015.change-pin $data$(mac "$f" 84160001 0016 "$data")"
data=$app$(ecb "$f_admin" "$(pad "$(hex "$new")")")
echo "syno-2015.unblock-pin $data$(mac "$f_admin" 841a0000 0016 "$data")"
# The device's key: DevAuth with SM4, and ChangeDevAuthKey. Lc is 20.
echo "any.device-auth $(ecb "$device" "$(pad "$random")")"
data=$(ecb "$device" "$device_new")
echo "syno-2015.change-device-key $data$(mac "$device" 84120002 0014 "$data")"
