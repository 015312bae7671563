#include "exporters/http_client.h"

#include <curl/curl.h>
#include <errno.h>

/* A document on its way. */
struct receipt {
    struct buf *out;
    size_t left; /* bytes that it may still have */
    bool too_long;
};

static size_t take(char *bytes, size_t size, size_t count, void *arg)
{
    struct receipt *receipt = arg;

    receipt->too_long |= size * count > receipt->left;
    if (receipt->too_long)
        return 0; /* anything but all ends the transfer */
    receipt->left -= size * count;
    buf_add(receipt->out, bytes, size * count);
    return receipt->out->failed ? 0 : size * count;
}

static int error_of(CURLcode code)
{
    switch (code) {
    case CURLE_OK: return 0;
    case CURLE_COULDNT_CONNECT: return -ECONNREFUSED;
    case CURLE_OPERATION_TIMEDOUT: return -ETIMEDOUT;
    case CURLE_OUT_OF_MEMORY:
    case CURLE_WRITE_ERROR: return -ENOMEM;
    default: return -EPROTO;
    }
}

int http_client_get(const char *url, long timeout_ms, size_t max_bytes, struct buf *out)
{
    struct receipt receipt = {.out = out, .left = max_bytes};
    CURL *curl = curl_easy_init();
    CURLcode code;

    if (!curl)
        return -ENOMEM;
    code = curl_easy_setopt(curl, CURLOPT_URL, url);
    if (code == CURLE_OK)
        code = curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    if (code == CURLE_OK)
        code = curl_easy_setopt(curl, CURLOPT_NOPROXY, "*");
    if (code == CURLE_OK)
        code = curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    if (code == CURLE_OK)
        code = curl_easy_setopt(curl, CURLOPT_FAILONERROR, 1L);
    if (code == CURLE_OK)
        code = curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, timeout_ms);
    if (code == CURLE_OK)
        code = curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take);
    if (code == CURLE_OK)
        code = curl_easy_setopt(curl, CURLOPT_WRITEDATA, &receipt);
    if (code == CURLE_OK)
        code = curl_easy_perform(curl);
    curl_easy_cleanup(curl);
    return receipt.too_long ? -EMSGSIZE : error_of(code);
}
