#include "encoders.h"

#include <string.h>

#include "support.h"

lens_encoder *test_encoder(const char *folder, const char *name, lens_tower towers, lens_backend backend)
{
    lens_error err = {0};
    lens_encoder *encoder = lens_encoder_open_on(folder, name, LENS_PRECISION_F32, towers, backend, &err);
    assert_done(encoder ? 0 : -1, &err);
    return encoder;
}

lens_session *test_session(const lens_encoder *encoder, int batch, int threads)
{
    lens_error err = {0};
    lens_session *session = lens_session_new(encoder, batch, threads, &err);
    assert_done(session ? 0 : -1, &err);
    return session;
}

void test_encoder_refused(const char *folder, const char *name, lens_precision precision, lens_tower towers, lens_error_code code, const char *words)
{
    lens_error err = {0};
    lens_encoder *encoder = lens_encoder_open(folder, name, precision, towers, &err);
    if (encoder)
        fail_msg("opened, but should have said: %s", words);
    assert_says(&err, words);
    if (code == LENS_E_FORMAT)
        assert_says(&err, folder);
    assert_null(strchr(err.message, '\n'));
    assert_int_equal(err.code, code);
}
