#include "exporters/json_read.h"
#include "exporters/view.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* What the document says of one listener. */
struct entry {
    struct listener_key key; /* its interface has a name only, and so has none here */
    const char *interface;   /* borrowed from the document; "" for none */
    uint64_t restarts;
    bool own; /* the daemon says that it is its own */
};

/* A document that was read. */
struct listing {
    json_t *root;          /* owned */
    struct entry *entries; /* owned; one of each listener, sorted */
    size_t count;
};

static int compare_entries(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;
    int r = listener_key_compare(&x->key, &y->key);

    return r != 0 ? r : strcmp(x->interface, y->interface);
}

/* These fill *ret and return true, or false where the value is not of the kind. */

static bool read_text(const json_t *object, const char *key, const char **ret)
{
    *ret = json_string_value(json_object_get(object, key));
    return *ret != NULL;
}

static bool read_text_or_null(const json_t *object, const char *key, const char **ret)
{
    if (!json_is_null(json_object_get(object, key)))
        return read_text(object, key, ret);
    *ret = "";
    return true;
}

static bool read_count(const json_t *object, const char *key, uint64_t limit, uint64_t *ret)
{
    const json_t *value = json_object_get(object, key);

    if (!json_is_integer(value) || json_integer_value(value) < 0)
        return false;
    *ret = (uint64_t)json_integer_value(value);
    return *ret <= limit;
}

static bool read_restarts(const json_t *object, uint64_t *ret)
{
    if (!json_is_null(json_object_get(object, "restarts")))
        return read_count(object, "restarts", INT64_MAX, ret);
    *ret = VIEW_UNKNOWN;
    return true;
}

/* Who chose the port may not be known. */
static bool read_choice(const json_t *object, bool *ret)
{
    const json_t *value = json_object_get(object, "kernel_chosen_port");

    *ret = json_is_true(value);
    return json_is_boolean(value) || json_is_null(value);
}

static bool family_parse(const char *name, enum family *ret)
{
    static const enum family families[] = {FAMILY_IPV4, FAMILY_IPV6, FAMILY_DUAL};

    for (size_t i = 0; i < sizeof families / sizeof families[0]; i++) {
        if (strcmp(name, family_name(families[i])) == 0) {
            *ret = families[i];
            return true;
        }
    }
    return false;
}

static bool read_protocol(const json_t *object, enum protocol *ret)
{
    const char *protocol;

    return read_text(object, "protocol", &protocol) && protocol_parse(protocol, ret) == 0;
}

/* The path tells all of a unix socket: what stands for its port depends on who
 * expects it. */
static bool read_path(const json_t *object, struct listener_key *key)
{
    const char *path;

    if (!read_text(object, "path", &path))
        return false;
    key->address = unix_path_address(path);
    return true;
}

static bool read_ethertype(const json_t *object, struct listener_key *key)
{
    uint64_t ethertype;

    if (!read_count(object, "ethertype", UINT16_MAX, &ethertype))
        return false;
    key->port = (uint16_t)ethertype;
    return true;
}

static bool read_place(const json_t *object, struct listener_key *key)
{
    const char *family, *address;
    uint64_t port;

    if (key->protocol == PROTOCOL_UNIX)
        return read_path(object, key);
    if (key->protocol == PROTOCOL_PACKET)
        return read_ethertype(object, key);
    if (!read_text(object, "family", &family) || !read_text(object, "address", &address) ||
        !read_count(object, "port", UINT16_MAX, &port))
        return false;
    key->port = (uint16_t)port;
    return family_parse(family, &key->family) && ip_addr_parse(address, &key->address) == 0;
}

static bool read_entry(const json_t *object, struct entry *ret)
{
    bool chosen;

    *ret = (struct entry){.interface = ""};
    if (!read_protocol(object, &ret->key.protocol) || !read_place(object, &ret->key) ||
        !read_text_or_null(object, "interface", &ret->interface) || !read_choice(object, &chosen) ||
        !read_restarts(object, &ret->restarts))
        return false;
    ret->own = json_is_true(json_object_get(object, "own"));
    ret->key.client = chosen && protocol_is_datagram(ret->key.protocol);
    return true;
}

/* Fills entries with the host's. */
static bool read_entries(const json_t *listeners, struct entry *entries, size_t *ret_count)
{
    const json_t *object;
    size_t i;

    *ret_count = 0;
    json_array_foreach(listeners, i, object)
    {
        const char *netns;

        if (!read_text_or_null(object, "netns", &netns) || !read_entry(object, &entries[*ret_count]))
            return false;
        *ret_count += !*netns;
    }
    return true;
}

/* Where they do not say the same, it is not known. */
static void join(struct entry *kept, const struct entry *other)
{
    if (other->restarts != kept->restarts)
        kept->restarts = VIEW_UNKNOWN;
    kept->own &= other->own;
}

/* Leaves one entry of each listener. */
static size_t join_entries(struct entry *entries, size_t count)
{
    size_t kept = 0;

    if (count > 0)
        qsort(entries, count, sizeof *entries, compare_entries);
    for (size_t i = 0; i < count; i++) {
        if (kept == 0 || compare_entries(&entries[i], &entries[kept - 1]) != 0)
            entries[kept++] = entries[i];
        else
            join(&entries[kept - 1], &entries[i]);
    }
    return kept;
}

static int read_document(struct listing *listing)
{
    const json_t *listeners = json_object_get(listing->root, "listeners");

    if (!json_is_array(listeners))
        return -EBADMSG;
    listing->entries = calloc(json_array_size(listeners) + 1, sizeof *listing->entries);
    if (!listing->entries)
        return -ENOMEM;
    if (!read_entries(listeners, listing->entries, &listing->count))
        return -EBADMSG;
    listing->count = join_entries(listing->entries, listing->count);
    return 0;
}

/* Where memory runs out, jansson says so or gives no reason at all. */
static bool is_memory_error(const json_error_t *error)
{
    enum json_error_code code = json_error_code(error);

    return code == json_error_out_of_memory || code == json_error_unknown;
}

/* Fills in what is owned, also on error. */
static int listing_read(const char *text, size_t length, struct listing *ret)
{
    json_error_t error;

    *ret = (struct listing){.root = NULL};
    if (length > JSON_READ_MAX_BYTES)
        return -EBADMSG;
    ret->root = json_loadb(text, length, JSON_REJECT_DUPLICATES, &error);
    if (!ret->root)
        return is_memory_error(&error) ? -ENOMEM : -EBADMSG;
    return read_document(ret);
}

static void listing_done(struct listing *listing)
{
    free(listing->entries);
    json_decref(listing->root);
}

/* Returns the entry of a listener, or NULL. */
static const struct entry *listing_find(const struct listing *listing, const struct listener *l)
{
    struct entry wanted = {.key = listener_key_of(l), .interface = l->interface};

    wanted.key.ifindex = 0;
    if (l->protocol == PROTOCOL_UNIX)
        wanted.key.port = 0;
    if (listing->count == 0)
        return NULL;
    return bsearch(&wanted, listing->entries, listing->count, sizeof wanted, compare_entries);
}

int json_read_restarts(const char *text, size_t length, const struct listener_table *table,
                       uint64_t *ret_restarts)
{
    size_t count;
    const struct listener *listeners = listener_table_all(table, &count);
    struct listing listing;
    int r = listing_read(text, length, &listing);

    for (size_t i = 0; r == 0 && i < count; i++) {
        const struct entry *found = listing_find(&listing, &listeners[i]);

        ret_restarts[i] = found ? found->restarts : VIEW_UNKNOWN;
    }
    listing_done(&listing);
    return r;
}

int json_read_own(const char *text, size_t length, const struct listener *l)
{
    const struct entry *found = NULL;
    struct listing listing;
    int r = listing_read(text, length, &listing);

    if (r == 0)
        found = listing_find(&listing, l);
    if (found)
        r = found->own;
    listing_done(&listing);
    return r;
}

/* What the document says of one expected service. */
struct service {
    const char *name; /* borrowed from the document, or from the policy */
    enum protocol protocol;
    uint16_t port;
    int64_t since_ms;
};

static int compare_services(const void *a, const void *b)
{
    const struct service *x = a, *y = b;
    int r = strcmp(x->name, y->name);

    if (r == 0)
        r = (int)x->protocol - (int)y->protocol;
    return r != 0 ? r : (int)x->port - (int)y->port;
}

/* So many digits that make a number up to a limit. */
static bool read_digits(const char *text, size_t count, int limit, int *ret)
{
    *ret = 0;
    for (size_t i = 0; i < count; i++) {
        if (text[i] < '0' || text[i] > '9')
            return false;
        *ret = *ret * 10 + (text[i] - '0');
    }
    return *ret <= limit;
}

/* "2023-11-14T22:13:20.123Z" and nothing else. */
static bool read_time(const char *text, int64_t *ret_ms)
{
    static const char form[] = "dddd-dd-ddTdd:dd:dd.dddZ";
    int year, month, day, hour, minute, second, ms;
    struct tm parts;

    if (strlen(text) != sizeof form - 1)
        return false;
    for (size_t i = 0; form[i]; i++)
        if (form[i] != 'd' && text[i] != form[i])
            return false;
    if (!read_digits(text, 4, 9999, &year) || !read_digits(text + 5, 2, 12, &month) ||
        !read_digits(text + 8, 2, 31, &day) || !read_digits(text + 11, 2, 23, &hour) ||
        !read_digits(text + 14, 2, 59, &minute) || !read_digits(text + 17, 2, 60, &second) ||
        !read_digits(text + 20, 3, 999, &ms) || month == 0 || day == 0)
        return false;
    parts = (struct tm){.tm_year = year - 1900,
                        .tm_mon = month - 1,
                        .tm_mday = day,
                        .tm_hour = hour,
                        .tm_min = minute,
                        .tm_sec = second};
    *ret_ms = (int64_t)timegm(&parts) * 1000 + ms;
    return true;
}

static bool read_since(const json_t *object, const char *status, int64_t *ret)
{
    const char *text;

    *ret = VIEW_SINCE_UNKNOWN;
    if (!read_text_or_null(object, "since", &text))
        return false;
    if (!*text || (strcmp(status, "missing") != 0 && strcmp(status, "wrong") != 0))
        return true;
    return read_time(text, ret);
}

/* The port of a service, or what stands for it. */
static bool read_port(const json_t *object, enum protocol protocol, uint16_t *ret)
{
    const char *path;
    uint64_t port;

    if (protocol == PROTOCOL_UNIX) {
        if (!read_text(object, "path", &path))
            return false;
        *ret = unix_path_port(path);
        return true;
    }
    if (!read_count(object, "port", UINT16_MAX, &port))
        return false;
    *ret = (uint16_t)port;
    return true;
}

static bool read_service(const json_t *object, struct service *ret)
{
    const char *status;

    return read_text(object, "name", &ret->name) && read_protocol(object, &ret->protocol) &&
           read_text(object, "status", &status) && read_port(object, ret->protocol, &ret->port) &&
           read_since(object, status, &ret->since_ms);
}

/* Those of a document, sorted. */
struct services_read {
    struct service *items; /* owned */
    size_t count;
};

static int read_services(const json_t *root, struct services_read *ret)
{
    const json_t *array = json_object_get(root, "expected"), *object;
    size_t i;

    ret->items = calloc(json_array_size(array) + 1, sizeof *ret->items);
    if (!ret->items)
        return -ENOMEM;
    json_array_foreach(array, i, object)
    {
        if (!read_service(object, &ret->items[ret->count++]))
            return -EBADMSG;
    }
    qsort(ret->items, ret->count, sizeof *ret->items, compare_services);
    return 0;
}

/* What is said of a service once. */
static int64_t find_since(const struct services_read *services, const struct service *wanted)
{
    const struct service *found = bsearch(wanted, services->items, services->count, sizeof *found,
                                          compare_services),
                         *end = services->items + services->count;

    if (!found || (found > services->items && compare_services(found, found - 1) == 0) ||
        (found + 1 < end && compare_services(found, found + 1) == 0))
        return VIEW_SINCE_UNKNOWN;
    return found->since_ms;
}

int json_read_since(const char *text, size_t length, const struct policy *policy,
                    const struct verdict *verdict, int64_t *ret_since)
{
    struct services_read services = {0};
    struct listing listing;
    int r = listing_read(text, length, &listing);

    if (r == 0)
        r = read_services(listing.root, &services);
    for (size_t i = 0; r == 0 && i < verdict->service_count; i++) {
        const struct service_verdict *s = &verdict->services[i];
        const struct expect *e = &policy->expects[s->expect];
        const struct service wanted = {.name = e->name, .protocol = s->protocol, .port = s->port};

        ret_since[i] = find_since(&services, &wanted);
    }
    free(services.items);
    listing_done(&listing);
    return r;
}
