/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "txn/audit-rate.h"

/* Stands for all users without a bucket of their own; no user has it (-1 is "none"). */
#define UID_OTHERS ((uid_t) -1)

typedef struct Bucket {
        uid_t uid;
        unsigned tokens;
        uint64_t since_usec; /* from when on the next token grows */
        uint64_t left_out;
} Bucket;

struct PtAuditRate {
        unsigned burst;
        uint64_t period_usec;
        unsigned n;
        Bucket buckets[PT_AUDIT_RATE_USERS_MAX + 1]; /* the first is the others' */
};

PtAuditRate *pt_audit_rate_new(unsigned burst, uint64_t period_usec)
{
        PtAuditRate *rate = g_new0(PtAuditRate, 1);

        rate->burst = burst;
        rate->period_usec = period_usec;
        rate->buckets[rate->n++] = (Bucket){.uid = UID_OTHERS, .tokens = burst};
        return rate;
}

void pt_audit_rate_free(PtAuditRate *rate)
{
        g_free(rate);
}

static void refill(const PtAuditRate *rate, Bucket *bucket, uint64_t now_usec)
{
        uint64_t n = (now_usec - bucket->since_usec) / rate->period_usec;

        bucket->since_usec += n * rate->period_usec;
        bucket->tokens = (unsigned) MIN((uint64_t) rate->burst, bucket->tokens + n);
}

/* One that nobody misses: full, and with nothing to tell. */
static Bucket *find_idle(PtAuditRate *rate, uint64_t now_usec)
{
        for (unsigned i = 1; i < rate->n; i++) {
                Bucket *bucket = &rate->buckets[i];

                refill(rate, bucket, now_usec);
                if (bucket->tokens == rate->burst && bucket->left_out == 0)
                        return bucket;
        }
        return NULL;
}

static Bucket *find(PtAuditRate *rate, uid_t uid, uint64_t now_usec)
{
        Bucket *bucket;

        for (unsigned i = 0; i < rate->n; i++)
                if (rate->buckets[i].uid == uid)
                        return &rate->buckets[i];
        bucket = rate->n < G_N_ELEMENTS(rate->buckets) ? &rate->buckets[rate->n++]
                                                       : find_idle(rate, now_usec);
        if (!bucket)
                return &rate->buckets[0];
        *bucket = (Bucket){.uid = uid, .tokens = rate->burst, .since_usec = now_usec};
        return bucket;
}

bool pt_audit_rate_take(PtAuditRate *rate, uid_t uid, uint64_t now_usec, uint64_t *ret_left_out)
{
        Bucket *bucket = find(rate, uid, now_usec);

        refill(rate, bucket, now_usec);
        if (bucket->tokens == 0) {
                bucket->left_out++;
                return false;
        }
        if (bucket->tokens == rate->burst)
                bucket->since_usec = now_usec;
        bucket->tokens--;
        *ret_left_out = bucket->left_out;
        bucket->left_out = 0;
        return true;
}

bool pt_audit_rate_flush(PtAuditRate *rate, uint64_t now_usec, uid_t *ret_uid,
                         uint64_t *ret_left_out)
{
        for (unsigned i = 0; i < rate->n; i++) {
                Bucket *bucket = &rate->buckets[i];

                refill(rate, bucket, now_usec);
                if (bucket->left_out == 0 || bucket->tokens == 0)
                        continue;
                *ret_uid = bucket->uid;
                return pt_audit_rate_take(rate, bucket->uid, now_usec, ret_left_out);
        }
        return false;
}

bool pt_audit_rate_pending(const PtAuditRate *rate)
{
        for (unsigned i = 0; i < rate->n; i++)
                if (rate->buckets[i].left_out > 0)
                        return true;
        return false;
}
