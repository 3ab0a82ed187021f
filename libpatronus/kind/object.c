/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "kind/field.h"

#include "kind/meta.h"
#include <string.h>

PtObject *pt_object_new(const PtKind *kind, const char *name)
{
        size_t size = strlen(name) + 1;
        PtObject *object = g_malloc0(kind->size + size);

        object->refs = 1;
        object->kind = kind;
        object->name = memcpy((char *) object + kind->size, name, size);
        return object;
}

PtObject *pt_object_ref(const PtObject *object)
{
        PtObject *writable = (PtObject *) object; /* the count is not part of what is sealed */

        writable->refs++;
        return writable;
}

void pt_object_unref(PtObject *object)
{
        if (!object || --object->refs > 0)
                return;
        if (object->kind->done)
                object->kind->done(object);
        pt_fields_done(object->kind->fields, object, object->present);
        pt_meta_free(object->meta);
        g_free(object);
}

PtObject *pt_object_copy(const PtObject *object, const char *name)
{
        PtObject *copy = pt_object_new(object->kind, name ? name : object->name);

        memcpy(copy + 1, object + 1, object->kind->size - sizeof(PtObject));
        copy->nameless = object->nameless && !name;
        copy->position = object->position;
        copy->present = object->present;
        pt_fields_copy(object->kind->fields, copy, object, object->present);
        copy->meta = pt_meta_copy(object->meta);
        return copy;
}

void pt_object_seal(PtObject *object)
{
        g_autoptr(GString) line = g_string_sized_new(512);

        if (object->sealed)
                return;
        pt_object_to_canonical(object, line);
        pt_digest_of(line->str, line->len, &object->digest);
        object->sealed = true;
}

int pt_object_compare_identity(const PtObject *a, const PtObject *b)
{
        int r = a->kind == b->kind ? 0 : strcmp(a->kind->name, b->kind->name);

        if (r == 0)
                r = strcmp(a->name, b->name);
        return (r > 0) - (r < 0);
}

void pt_object_uid(const PtObject *object, uint8_t ret[static 16])
{
        if (object->meta && object->meta->uid) {
                for (unsigned i = 0; i < 16; i++)
                        ret[i] = (uint8_t) (g_ascii_xdigit_value(object->meta->uid[2 * i]) << 4 |
                                            g_ascii_xdigit_value(object->meta->uid[2 * i + 1]));
                return;
        }
        pt_uid_of(object->kind, object->name, ret);
}

void pt_uid_of(const PtKind *kind, const char *name, uint8_t ret[static 16])
{
        g_autofree char *identity = g_strdup_printf("%s/%s", kind->name, name);
        PtDigest digest;

        pt_digest_of(identity, strlen(identity), &digest);
        memcpy(ret, digest.bytes, 16);
}

int pt_object_check(const PtObject *object, PtDiagnostics *diag)
{
        int r = pt_fields_check_required(object->kind->fields, "/spec", object->present, diag);

        for (const char *const *name = object->kind->reserved_names; name && *name; name++)
                if (strcmp(object->name, *name) == 0) {
                        pt_diag_error(diag, "reserved-name", "/metadata/name",
                                      "\"%s\" has a meaning of its own; choose another name",
                                      object->name);
                        r = -EINVAL;
                }
        if (object->kind->singleton && strcmp(object->name, "default") != 0) {
                pt_diag_error(diag, "singleton", "/metadata/name",
                              "there is one %s, called \"default\"", object->kind->name);
                r = -EINVAL;
        }
        if (r == 0 && object->kind->check)
                r = object->kind->check(object, diag);
        return r;
}

typedef int (*RefFunc)(const PtKind *kind, const char *name, const char *pointer, void *userdata);

static bool is_reserved(const PtKind *kind, const char *name)
{
        for (const char *const *reserved = kind->reserved_names; reserved && *reserved; reserved++)
                if (strcmp(*reserved, name) == 0)
                        return true;
        return false;
}

static int visit_ref(const PtField *field, const void *value, const char *pointer, RefFunc each,
                     void *userdata)
{
        const PtKind *kind = pt_kind_find(field->ref);
        const char *name = *(char *const *) value;

        g_assert(kind); /* the tests walk all tables */
        return is_reserved(kind, name) ? 0 : each(kind, name, pointer, userdata);
}

static int visit_refs(const PtField *fields, const void *base, uint64_t present,
                      const char *pointer, RefFunc each, void *userdata)
{
        for (const PtField *field = fields; field->name; field++) {
                const void *value = pt_field_value(field, base);
                g_autofree char *at = NULL;
                int r = 0;

                if (!(present >> (field - fields) & 1) ||
                    (field->type != &pt_type_ref && !field->fields))
                        continue;
                at = g_strconcat(pointer, "/", field->name, NULL);
                if (pt_field_nested(field)) {
                        r = visit_refs(field->fields, value, *pt_nested_present((void *) value), at,
                                       each, userdata);
                } else if (field->flags & PT_F_LIST) {
                        const PtList *list = value;

                        for (unsigned i = 0; r == 0 && i < list->n; i++) {
                                g_autofree char *pointer_of = g_strdup_printf("%s/%u", at, i);
                                const void *item = pt_list_item(field, list, i);

                                r = field->fields
                                            ? visit_refs(field->fields, item,
                                                         *pt_nested_present((void *) item),
                                                         pointer_of, each, userdata)
                                            : visit_ref(field, item, pointer_of, each, userdata);
                        }
                } else {
                        r = visit_ref(field, value, at, each, userdata);
                }
                if (r != 0)
                        return r;
        }
        return 0;
}

int pt_object_foreach_ref(const PtObject *object,
                          int (*each)(const PtKind *kind, const char *name, const char *pointer,
                                      void *userdata),
                          void *userdata)
{
        return visit_refs(object->kind->fields, object, object->present, "/spec", each, userdata);
}

/* Rows of type dataset stand in an object's own struct: lists become datasets as a whole, beside
 * the row that names them. */
int pt_object_foreach_dataset(const PtObject *object,
                              int (*each)(const char *digest, const char *pointer, void *userdata),
                              void *userdata)
{
        for (const PtField *field = object->kind->fields; field->name; field++) {
                g_autofree char *pointer = NULL;
                int r;

                if (field->type != &pt_type_dataset ||
                    !pt_object_has(object, (unsigned) (field - object->kind->fields)))
                        continue;
                pointer = g_strconcat("/spec/", field->name, NULL);
                r = each(*(const char *const *) pt_field_value(field, object), pointer, userdata);
                if (r != 0)
                        return r;
        }
        return 0;
}

bool pt_kind_has_dataset(const PtKind *kind)
{
        for (const PtField *field = kind->fields; field->name; field++)
                if (field->type == &pt_type_dataset)
                        return true;
        return false;
}
