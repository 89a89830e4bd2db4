/* A security key in software, as OpenSSH loads one (PROTOCOL.u2f, sk-api.h, version 10).

   Its private key is the handle that it gives out, so it keeps nothing. For tests: it says that
   somebody touched it whenever it was asked to want a touch. Ed25519 alone.

   cc -shared -fPIC -o fido.so fido.c -lcrypto
*/

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>
#include <openssl/rand.h>
#include <openssl/sha.h>

#define VERSION 0x000a0000
#define ED25519 1
#define FAILED -1
#define UNSUPPORTED -2

struct enrolled {
    uint8_t flags;
    uint8_t *public_key;
    size_t public_key_len;
    uint8_t *key_handle;
    size_t key_handle_len;
    uint8_t *signature;
    size_t signature_len;
    uint8_t *attestation_cert;
    size_t attestation_cert_len;
    uint8_t *authdata;
    size_t authdata_len;
};

struct signature {
    uint8_t flags;
    uint32_t counter;
    uint8_t *sig_r;
    size_t sig_r_len;
    uint8_t *sig_s;
    size_t sig_s_len;
};

uint32_t sk_api_version(void) { return VERSION; }

int sk_enroll(uint32_t algorithm, const uint8_t *challenge, size_t challenge_len,
              const char *application, uint8_t flags, const char *pin, void **options,
              struct enrolled **made) {
    if (algorithm != ED25519)
        return UNSUPPORTED;
    struct enrolled *one = calloc(1, sizeof *one);
    uint8_t *secret = malloc(32), *public = malloc(32);
    size_t length = 32;
    if (one == NULL || secret == NULL || public == NULL || RAND_bytes(secret, 32) != 1)
        return FAILED;
    EVP_PKEY *key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, secret, 32);
    if (key == NULL || EVP_PKEY_get_raw_public_key(key, public, &length) != 1)
        return FAILED;
    EVP_PKEY_free(key);
    one->flags = flags;
    one->public_key = public, one->public_key_len = 32;
    one->key_handle = secret, one->key_handle_len = 32;
    one->signature = calloc(1, 1), one->attestation_cert = calloc(1, 1);
    *made = one;
    return 0;
}

int sk_sign(uint32_t algorithm, const uint8_t *data, size_t data_len, const char *application,
            const uint8_t *handle, size_t handle_len, uint8_t flags, const char *pin,
            void **options, struct signature **made) {
    if (algorithm != ED25519 || handle_len != 32)
        return UNSUPPORTED;
    /* What is signed: digest of the application, flags, counter, digest of the data. */
    uint8_t message[32 + 1 + 4 + 32] = {0};
    SHA256((const uint8_t *)application, strlen(application), message);
    message[32] = flags;
    message[36] = 1;
    SHA256(data, data_len, message + 37);
    struct signature *one = calloc(1, sizeof *one);
    uint8_t *bytes = malloc(64);
    size_t length = 64;
    EVP_PKEY *key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, handle, 32);
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    if (one == NULL || bytes == NULL || key == NULL || context == NULL ||
        EVP_DigestSignInit(context, NULL, NULL, NULL, key) != 1 ||
        EVP_DigestSign(context, bytes, &length, message, sizeof message) != 1)
        return FAILED;
    EVP_MD_CTX_free(context);
    EVP_PKEY_free(key);
    one->flags = flags;
    one->counter = 1;
    one->sig_r = bytes, one->sig_r_len = length;
    *made = one;
    return 0;
}

int sk_load_resident_keys(const char *pin, void **options, void ***keys, size_t *count) {
    return UNSUPPORTED;
}
