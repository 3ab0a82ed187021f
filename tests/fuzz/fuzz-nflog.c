/* SPDX-License-Identifier: GPL-3.0-or-later */

/* A message of nfnetlink_log as a line of the log: whatever is in the packet, the line is JSON, is
 * short enough to be written at once, and all conditions can be asked of it. */

#include "filter/log-record.h"
#include "kind/field.h"
#include "kind/json.h"
#include "netlink/nflog.h"

#include <linux/netlink.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const FwLogRecord *record)
{
        g_autoptr(GString) line = g_string_new(NULL), text = g_string_new(NULL);
        pt_auto_json *json = NULL;
        FwLogFilter filter = {.rule = (char *) "x",
                              .zone = (char *) "x",
                              .from = (char *) "x",
                              .to = (char *) "x",
                              .interface = (char *) "x*"};

        fw_log_record_to_json(record, line);
        if (line->len >= FW_LOG_LINE_MAX || memchr(line->str, '\n', line->len) ||
            pt_json_parse(line->str, line->len, NULL, &json) < 0)
                __builtin_trap();
        fw_log_record_to_text(record, text);
        for (unsigned i = 0; fw_log_filter_fields[i].name; i++) {
                filter.present = UINT64_C(1) << i;
                (void) fw_log_filter_matches(&filter, record);
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        g_autofree struct nlmsghdr *header = NULL;
        PtNflogPacket packet;
        FwLogRecord record = {0};

        if (size < sizeof(*header) || size > 65536)
                return 0;
        header = g_memdup2(data, size);
        header->nlmsg_len = (uint32_t) size;
        if (pt_nflog_parse(header, (int) size, &packet) < 0)
                return 0;
        (void) fw_log_record_set_prefix(&record, packet.prefix ?: "", packet.prefix_size);
        record.has_headers = pt_headers_decode(packet.ethertype, packet.payload, packet.size,
                                               &record.headers) == 0;
        if (packet.mac) {
                record.has_mac = true;
                memcpy(record.mac, packet.mac, sizeof(record.mac));
        }
        record.mark = packet.mark;
        check(&record);
        return 0;
}
