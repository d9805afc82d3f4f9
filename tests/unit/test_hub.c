/* What needs no server: addresses, names, and the JSON of the hub. */
#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>

#include "net/checksum.h"
#include "net/http.h"
#include "net/hub.h"
#include "support.h"

static struct sockaddr *address(const char *text, struct sockaddr_storage *room)
{
    struct sockaddr_in *in = (struct sockaddr_in *)room;
    struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)room;
    *room = (struct sockaddr_storage){.ss_family = AF_INET};
    if (inet_pton(AF_INET, text, &in->sin_addr) != 1) {
        room->ss_family = AF_INET6;
        assert_int_equal(inet_pton(AF_INET6, text, &in6->sin6_addr), 1);
    }
    return (struct sockaddr *)room;
}

static bool public(const char *text)
{
    struct sockaddr_storage room;
    return lens_address_public(address(text, &room));
}

static void test_public_addresses(void **state)
{
    (void)state;
    const char *yes[] = {"1.1.1.1", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "126.255.255.255", "128.0.0.1", "168.63.129.15",
                         "168.63.129.17", "169.253.255.255", "169.255.0.0", "172.15.255.255", "172.32.0.0", "192.0.1.0", "192.167.255.255",
                         "192.169.0.0", "198.17.255.255", "198.20.0.0", "223.255.255.255", "2606:4700::1111", "2a00:1450::1", "2001:4860:4860::8888",
                         "::ffff:8.8.8.8"};
    const char *no[] = {"0.0.0.0", "0.1.2.3", "10.0.0.0", "10.255.255.255", "100.64.0.0", "100.127.255.255", "127.0.0.1", "127.255.255.255",
                        "168.63.129.16", "169.254.169.254", "172.16.0.0", "172.31.255.255", "192.0.0.1", "192.0.2.1", "192.168.0.0", "192.168.255.255",
                        "198.18.0.0", "198.19.255.255", "198.51.100.7", "203.0.113.7", "224.0.0.1", "240.0.0.1", "255.255.255.255", "::", "::1",
                        "fe80::1", "fc00::1", "fd12::1", "ff02::1", "2001:db8::1", "2001::1", "2002:7f00:1::", "64:ff9b::7f00:1", "::ffff:127.0.0.1",
                        "::ffff:10.0.0.1", "::127.0.0.1", "3fff::1"};
    for (size_t i = 0; i < sizeof yes / sizeof *yes; i++)
        if (!public(yes[i]))
            fail_msg("%s is public", yes[i]);
    for (size_t i = 0; i < sizeof no / sizeof *no; i++)
        if (public(no[i]))
            fail_msg("%s is not public", no[i]);
    assert_false(lens_address_public(&(struct sockaddr){.sa_family = AF_UNIX}));
}

/* A machine in a data centre: public addresses of its own, neighbours in the same network, a line to one other machine. */
static void test_neighbours(void **state)
{
    (void)state;
    static const char *const lines[][3] = {{"8.8.4.17", "255.255.255.240", NULL}, {"2a00:1450:1:2::7", "ffff:ffff:ffff:ffff::", NULL},
                                           {"9.1.1.1", "255.255.255.255", "9.1.1.200"}, {"9.2.2.2", "0.0.0.0", NULL}, {"fe80::1", "ffff:ffff:ffff:ffff::", NULL}};
    enum { COUNT = sizeof lines / sizeof *lines };
    static struct sockaddr_storage rooms[COUNT][3];
    struct ifaddrs list[COUNT + 1] = {{.ifa_next = &list[1]}}; /* the first has no address */
    for (size_t i = 0; i < COUNT; i++) {
        list[i + 1] = (struct ifaddrs){.ifa_next = i + 1 < COUNT ? &list[i + 2] : NULL, .ifa_flags = lines[i][2] ? IFF_POINTOPOINT : 0};
        list[i + 1].ifa_addr = address(lines[i][0], &rooms[i][0]);
        list[i + 1].ifa_netmask = address(lines[i][1], &rooms[i][1]);
        if (lines[i][2])
            list[i + 1].ifa_dstaddr = address(lines[i][2], &rooms[i][2]);
    }
    static const char *const near[] = {"8.8.4.17", "8.8.4.16", "8.8.4.31", "::ffff:8.8.4.18", "2a00:1450:1:2::7", "2a00:1450:1:2:ffff::1", "9.1.1.1", "9.1.1.200",
                                       "9.2.2.2"};
    static const char *const far[] = {"8.8.4.15", "8.8.4.32", "8.8.8.8", "::ffff:8.8.8.8", "2a00:1450:1:3::7", "9.1.1.2", "9.2.2.3", "2606:4700::1111"};
    struct sockaddr_storage room;
    for (size_t i = 0; i < sizeof near / sizeof *near; i++)
        if (!lens_address_among(address(near[i], &room), list))
            fail_msg("%s is next door", near[i]);
    for (size_t i = 0; i < sizeof far / sizeof *far; i++)
        if (lens_address_among(address(far[i], &room), list))
            fail_msg("%s is far away", far[i]);
    assert_true(lens_address_near(address("127.0.0.1", &room)));
    ((struct sockaddr_in6 *)address("::1", &room))->sin6_port = htons(8443);
    assert_int_equal(lens_address_port((struct sockaddr *)&room), 8443);
}

static void test_only_the_ports_of_the_web(void **state)
{
    (void)state;
    static const char *const urls[] = {"http://1.1.1.1:22/a.png", "http://1.1.1.1:6379/", "https://1.1.1.1:8443/a.png"};
    for (size_t i = 0; i < sizeof urls / sizeof *urls; i++) {
        lens_http_request request = {.url = urls[i], .allow_private = false, .seconds = 5};
        lens_http_answer answer;
        lens_error error = {0};
        bool again;
        assert_int_equal(lens_http(&request, &answer, &again, &error), -1);
        assert_says(&error, "only ports 80 and 443");
    }
}

/* Which names there are inside is not for strangers: one that means nothing is refused as one that means a machine here, on every port. */
static void test_names_inside_are_not_told(void **state)
{
    (void)state;
    static const char *const names[] = {"localhost", "127.0.0.1", "no-such-machine.invalid", "no-such-machine.localdomain"};
    static const char *const rests[] = {"/a.png", ":8080/a.png"};
    for (size_t i = 0; i < sizeof rests / sizeof *rests; i++)
        for (size_t j = 0; j < sizeof names / sizeof *names; j++) {
            char url[128], words[256];
            snprintf(url, sizeof url, "http://%s%s", names[j], rests[i]);
            snprintf(words, sizeof words, "%s: cannot be found on the public internet, and only that is asked here", url);
            lens_http_request request = {.url = url, .allow_private = false, .seconds = 5};
            lens_http_answer answer;
            lens_error error = {0};
            bool again;
            assert_int_equal(lens_http(&request, &answer, &again, &error), -1);
            assert_string_equal(error.message, words);
            assert_int_equal(error.code, LENS_E_ARGUMENT);
            assert_false(again);
        }
}

/* Behind a proxy nobody could see which address it is: it is the one of the picture that is refused, and not that of the proxy, which has another port. */
static void test_no_proxy_for_strangers(void **state)
{
    (void)state;
    static const char *const names[] = {"http_proxy", "all_proxy"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        setenv(names[i], "http://1.1.1.1:22", 1);
        lens_http_request request = {.url = "http://10.0.0.1/a.png", .allow_private = false, .seconds = 5};
        lens_http_answer answer;
        lens_error error = {0};
        bool again;
        assert_int_equal(lens_http(&request, &answer, &again, &error), -1);
        assert_null(strstr(error.message, "ports 80 and 443"));
        assert_says(&error, "10.0.0.1");
        unsetenv(names[i]);
    }
}

static void test_plain_urls(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"https://a.org/b.jpg", "https://a.org/b.jpg"},
        {"https://ada:secret@a.org/b.jpg?key=1#x", "https://a.org/b.jpg"},
        {"https://ada@b@a.org", "https://a.org"},
        {"https://a.org?ada@b", "https://a.org"},
        {"https://a.org/@b/c", "https://a.org/@b/c"},
        {"nothing", "nothing"},
    };
    char out[64];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_string_equal(lens_url_plain(cases[i][0], out, sizeof out), cases[i][1]);
}

static void test_names(void **state)
{
    (void)state;
    const char *repositories[] = {"openai/clip-vit-base-patch32", "timm/resnetv2_50x1_bit.goog_in21k", "a/b"};
    const char *others[] = {"", "a", "a/", "/b", "a/b/c", "../b", "a/..", "a/.b", "a/b.", "a--b/c", "a/b c", "a/b\n", "a/b?c", "./b", "a/b@64", "ä/b"};
    for (size_t i = 0; i < sizeof repositories / sizeof *repositories; i++)
        assert_true(lens_hub_repository(repositories[i]));
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (lens_hub_repository(others[i]))
            fail_msg("'%s' is no repository", others[i]);
    char *folder = lens_hub_folder_name("timm/resnetv2_50x1_bit.goog_in21k");
    assert_string_equal(folder, "timm--resnetv2_50x1_bit.goog_in21k");
    free(folder);
    assert_true(lens_hub_file_name("model-00001-of-00002.safetensors"));
    const char *no_files[] = {"", ".", "..", ".git", "a/b", "a\\b", "a b", "a\n"};
    for (size_t i = 0; i < sizeof no_files / sizeof *no_files; i++)
        assert_false(lens_hub_file_name(no_files[i]));
    const char *no_paths[] = {"", "/", "1_a/", "/a", "../a", "1_a/..", "1_a/b/c", ".git/a", "1_a/.b", "1_a\\b/c", "1_a b/c", "onnx/a", "1/a", "1_/"};
    for (size_t i = 0; i < sizeof no_paths / sizeof *no_paths; i++)
        assert_false(lens_hub_file_path(no_paths[i]));
    assert_true(lens_hub_file_path("config.json"));
    assert_true(lens_hub_file_path("1_Pooling/config.json"));
    char *url = lens_hub_file_url("https://huggingface.co", "a/b", "refs/pr/1", "config.json");
    assert_string_equal(url, "https://huggingface.co/a/b/resolve/refs%2Fpr%2F1/config.json");
    free(url);
    url = lens_hub_file_url("https://huggingface.co", "a/b", "main", "1_Pooling/config.json"); /* that slash is the address's */
    assert_string_equal(url, "https://huggingface.co/a/b/resolve/main/1_Pooling/config.json");
    free(url);
}

static void test_listing(void **state)
{
    (void)state;
    static const char text[] = "{\"sha\":\"0123456789abcdef0123456789abcdef01234567\",\"siblings\":[{\"rfilename\":\"config.json\"},"
                               "{\"rfilename\":\"onnx/model.onnx\"},{\"rfilename\":\"1_Pooling/config.json\"},{\"rfilename\":\"../../evil\"},{\"rfilename\":7},{},7,"
                               "{\"rfilename\":\"config.json\"},{\"rfilename\":\"model.safetensors\"}]}";
    lens_names names;
    char commit[LENS_COMMIT_DIGITS + 1];
    lens_error err = {0};
    assert_done(lens_hub_read_listing(text, sizeof text - 1, "a/b", &names, commit, &err), &err);
    assert_string_equal(commit, "0123456789abcdef0123456789abcdef01234567");
    assert_int_equal(names.count, 3);
    assert_true(lens_names_have(&names, "1_Pooling/config.json"));
    assert_true(lens_names_have(&names, "model.safetensors"));
    lens_names_free(&names);
    const char *bad[] = {"", "[]", "{}", "{\"siblings\":{}}", "\xff"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(lens_hub_read_listing(bad[i], strlen(bad[i]), "a/b", &names, commit, &err), -1);
        assert_says(&err, "a/b");
    }
    static const char open[] = "{\"sha\":\"../../main\",\"siblings\":[]}";
    assert_done(lens_hub_read_listing(open, sizeof open - 1, "a/b", &names, commit, &err), &err);
    assert_string_equal(commit, "");
    lens_names_free(&names);
}

static void test_index_of_shards(void **state)
{
    (void)state;
    static const char text[] = "{\"metadata\":{},\"weight_map\":{\"a\":\"x.safetensors\",\"b\":\"y.safetensors\",\"c\":\"x.safetensors\"}}";
    lens_names names;
    lens_error err = {0};
    assert_done(lens_hub_read_index(text, sizeof text - 1, "index", &names, &err), &err);
    assert_int_equal(names.count, 2);
    lens_names_free(&names);
    const char *bad[] = {"{}", "{\"weight_map\":{}}", "{\"weight_map\":[]}", "{\"weight_map\":{\"a\":1}}", "{\"weight_map\":{\"a\":\"b/c\"}}",
                         "{\"weight_map\":{\"a\":\"..\"}}", "{\"weight_map\":{\"a\":\"b\\u0000c\"}}"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(lens_hub_read_index(bad[i], strlen(bad[i]), "index", &names, &err), -1);
}

static void test_conversions(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        long number;
    } cases[] = {
        {"{\"discussions\":[]}", 0},
        {"{\"discussions\":[{\"num\":3,\"isPullRequest\":true,\"status\":\"open\",\"author\":{\"name\":\"SFconvertbot\"}}]}", 3},
        {"{\"discussions\":[{\"num\":3,\"isPullRequest\":true,\"status\":\"closed\",\"author\":{\"name\":\"SFconvertbot\"}}]}", 0},
        {"{\"discussions\":[{\"num\":3,\"isPullRequest\":true,\"status\":\"draft\",\"author\":{\"name\":\"SFconvertbot\"}}]}", 0},
        {"{\"discussions\":[{\"num\":3,\"isPullRequest\":false,\"status\":\"open\",\"author\":{\"name\":\"SFconvertbot\"}}]}", 0},
        {"{\"discussions\":[{\"num\":3,\"isPullRequest\":true,\"status\":\"open\",\"author\":{\"name\":\"someone\"}}]}", 0},
        {"{\"discussions\":[{\"num\":-3,\"isPullRequest\":true,\"status\":\"open\",\"author\":{\"name\":\"SFconvertbot\"}},{},1]}", 0},
        {"{}", -1},
        {"", -1},
    };
    lens_error err;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(lens_hub_read_conversion(cases[i].text, strlen(cases[i].text), "a/b", &err), cases[i].number);
}

/* What an answer costs in memory is bounded before it is read. */
static void test_endless_answers(void **state)
{
    (void)state;
    lens_buffer text = {0};
    lens_names names;
    char commit[LENS_COMMIT_DIGITS + 1];
    lens_error err = {0};
    test_put_arrays(&text, 1000000);
    assert_int_equal(lens_hub_read_listing(text.data, text.size, "listing", &names, commit, &err), -1);
    assert_says(&err, "listing: more than 1048576 values");
    assert_int_equal(lens_hub_read_index(text.data, text.size, "index", &names, &err), -1);
    assert_says(&err, "index: more than 1048576 values");
    assert_int_equal(lens_hub_read_conversion(text.data, text.size, "discussions", &err), -1);
    assert_says(&err, "discussions: more than 1048576 values");
    lens_buffer_free(&text);
}

static void test_settings(void **state)
{
    (void)state;
    lens_error err = {0};
    setenv("HF_ENDPOINT", "https://mirror.example///", 1);
    char *endpoint = lens_hub_endpoint(&err);
    assert_string_equal(endpoint, "https://mirror.example");
    free(endpoint);
    unsetenv("HF_ENDPOINT");
    endpoint = lens_hub_endpoint(&err);
    assert_string_equal(endpoint, "https://huggingface.co");
    free(endpoint);
    const char *on[] = {"1", "true", "YES", "On"}, *off[] = {"", "0", "false", "no"};
    for (size_t i = 0; i < 4; i++) {
        setenv("HF_HUB_OFFLINE", on[i], 1);
        assert_true(lens_hub_offline());
        setenv("HF_HUB_OFFLINE", off[i], 1);
        assert_false(lens_hub_offline());
    }
    char *token;
    setenv("HF_TOKEN", " hf_x \n", 1);
    assert_done(lens_hub_token(&token, &err), &err);
    assert_string_equal(token, "hf_x");
    free(token);
    setenv("HF_TOKEN", "hf_\r\nX-Evil: 1", 1);
    assert_int_equal(lens_hub_token(&token, &err), -1);
    assert_null(strstr(err.message, "Evil"));
}

static void test_checksums(void **state)
{
    (void)state;
    /* FIPS 180-2's "abc", and what `printf abc | git hash-object --stdin` says. */
    lens_error err = {0};
    lens_checksum *sum = lens_checksum_sha256(&err);
    lens_checksum_add(sum, "ab", 2);
    lens_checksum_add(sum, "c", 1);
    assert_string_equal(lens_checksum_digits(sum), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    lens_checksum_free(sum);
    sum = lens_checksum_git(3, &err);
    lens_checksum_add(sum, "abc", 3);
    assert_string_equal(lens_checksum_digits(sum), "f2ba8f84ab5c1bce84a7b441cb1959cfc7093b7f");
    lens_checksum_free(sum);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_public_addresses),
        cmocka_unit_test(test_neighbours),
        cmocka_unit_test(test_only_the_ports_of_the_web),
        cmocka_unit_test(test_names_inside_are_not_told),
        cmocka_unit_test(test_no_proxy_for_strangers),
        cmocka_unit_test(test_plain_urls),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_listing),
        cmocka_unit_test(test_index_of_shards),
        cmocka_unit_test(test_conversions),
        cmocka_unit_test(test_endless_answers),
        cmocka_unit_test(test_settings),
        cmocka_unit_test(test_checksums),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
