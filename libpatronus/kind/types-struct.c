/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "kind/field.h"

static void struct_schema(const PtField *field, struct json_object *schema)
{
        (void) field;
        json_object_object_add(schema, "type", json_object_new_string("object"));
}

/* The rows of the field say all; kind/field.h walks them. */
const PtType pt_type_struct = {
        .name = "struct",
        .signature = "a{sv}",
        .syntax = "fields of its own",
        .schema = struct_schema,
};

const PtType *const pt_types[] = {
        &pt_type_bool,
        &pt_type_u8,
        &pt_type_u16,
        &pt_type_u32,
        &pt_type_name,
        &pt_type_string,
        &pt_type_enum,
        &pt_type_ref,
        &pt_type_ifname,
        &pt_type_prefix,
        &pt_type_address_range,
        &pt_type_port_range,
        &pt_type_length_range,
        &pt_type_protocol,
        &pt_type_mac,
        &pt_type_icmp_type,
        &pt_type_mark,
        &pt_type_rate,
        &pt_type_dataset,
        &pt_type_fqdn,
        &pt_type_url,
        &pt_type_duration,
        &pt_type_secret,
        &pt_type_time,
        &pt_type_dates,
        &pt_type_mac_mask,
        &pt_type_ether_type,
        &pt_type_arp_operation,
        &pt_type_vlan_range,
        &pt_type_moment,
        NULL,
};
