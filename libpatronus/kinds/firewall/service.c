/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "kinds/firewall/endpoint.h"

#include <netinet/in.h>

/* What everybody has, under the names that people know. Ports are IANA's ("Service Name and
 * Transport Protocol Port Number Registry") or, of programs without one there, the program's own
 * default. */
/* clang-format off */
static const PtBuiltin builtins[] = {
        {"amqp", "Advanced Message Queuing Protocol", "{\"tcp\":[5671,5672]}"},
        {"bgp", "Border Gateway Protocol", "{\"tcp\":[179]}"},
        {"cups", "printing by IPP", "{\"tcp\":[631],\"udp\":[631]}"},
        {"dhcp", "DHCP server of IPv4", "{\"udp\":[67]}"},
        {"dhcpv6", "DHCP server of IPv6", "{\"udp\":[547]}"},
        {"dns", "names, by UDP and TCP", "{\"tcp\":[53],\"udp\":[53]}"},
        {"dns-over-tls", "names over TLS (RFC 7858)", "{\"tcp\":[853]}"},
        {"docker-registry", "container images", "{\"tcp\":[5000]}"},
        {"elasticsearch", "Elasticsearch and OpenSearch", "{\"tcp\":[9200,9300]}"},
        {"etcd", "etcd clients and peers", "{\"tcp\":[\"2379-2380\"]}"},
        {"ftp", "file transfer, with the helper for its data connections", "{\"helper\":\"ftp\",\"tcp\":[21]}"},
        {"git", "the git protocol", "{\"tcp\":[9418]}"},
        {"grafana", "Grafana", "{\"tcp\":[3000]}"},
        {"gre", "Generic Routing Encapsulation", "{\"protocols\":[\"gre\"]}"},
        {"http", "web without encryption", "{\"tcp\":[80]}"},
        {"http3", "web over QUIC", "{\"udp\":[443]}"},
        {"https", "web", "{\"tcp\":[443]}"},
        {"imap", "mail of users", "{\"tcp\":[143]}"},
        {"imaps", "mail of users over TLS", "{\"tcp\":[993]}"},
        {"ipsec", "IKE, its NAT traversal, ESP and AH", "{\"protocols\":[\"esp\",\"ah\"],\"udp\":[500,4500]}"},
        {"irc", "chat, with the helper for direct connections", "{\"helper\":\"irc\",\"tcp\":[6667]}"},
        {"iscsi", "disks over TCP", "{\"tcp\":[3260]}"},
        {"kerberos", "Kerberos", "{\"tcp\":[88],\"udp\":[88]}"},
        {"kubernetes-api", "the API server of Kubernetes", "{\"tcp\":[6443]}"},
        {"l2tp", "L2TP over UDP", "{\"udp\":[1701]}"},
        {"ldap", "directory", "{\"tcp\":[389]}"},
        {"ldaps", "directory over TLS", "{\"tcp\":[636]}"},
        {"llmnr", "names on the link", "{\"tcp\":[5355],\"udp\":[5355]}"},
        {"mdns", "names and services on the link", "{\"udp\":[5353]}"},
        {"memcached", "memcached", "{\"tcp\":[11211]}"},
        {"minecraft", "Minecraft", "{\"tcp\":[25565]}"},
        {"mongodb", "MongoDB", "{\"tcp\":[27017]}"},
        {"mqtt", "messages of things", "{\"tcp\":[1883]}"},
        {"mqtts", "messages of things over TLS", "{\"tcp\":[8883]}"},
        {"mssql", "Microsoft SQL Server", "{\"tcp\":[1433]}"},
        {"mysql", "MySQL and MariaDB", "{\"tcp\":[3306]}"},
        {"netbios", "NetBIOS names, datagrams and sessions", "{\"tcp\":[139],\"udp\":[\"137-138\"]}"},
        {"nfs", "NFS version 4", "{\"tcp\":[2049]}"},
        {"node-exporter", "Prometheus node exporter", "{\"tcp\":[9100]}"},
        {"nrpe", "Nagios remote plugins", "{\"tcp\":[5666]}"},
        {"ntp", "time", "{\"udp\":[123]}"},
        {"openvpn", "OpenVPN", "{\"tcp\":[1194],\"udp\":[1194]}"},
        {"oracle", "Oracle database listener", "{\"tcp\":[1521]}"},
        {"ospf", "OSPF", "{\"protocols\":[\"ospf\"]}"},
        {"pop3", "mail of users", "{\"tcp\":[110]}"},
        {"pop3s", "mail of users over TLS", "{\"tcp\":[995]}"},
        {"postgresql", "PostgreSQL", "{\"tcp\":[5432]}"},
        {"pptp", "PPTP, with the helper for its GRE; obsolete", "{\"helper\":\"pptp\",\"tcp\":[1723]}"},
        {"prometheus", "Prometheus", "{\"tcp\":[9090]}"},
        {"proxmox", "the web interface of Proxmox VE", "{\"tcp\":[8006]}"},
        {"radius", "RADIUS authentication and accounting", "{\"udp\":[\"1812-1813\"]}"},
        {"rdp", "remote desktop", "{\"tcp\":[3389],\"udp\":[3389]}"},
        {"redis", "Redis and Valkey", "{\"tcp\":[6379]}"},
        {"rsync", "rsync", "{\"tcp\":[873]}"},
        {"rtsp", "streams", "{\"tcp\":[554]}"},
        {"sip", "calls, with the helper for their media", "{\"helper\":\"sip\",\"tcp\":[5060],\"udp\":[5060]}"},
        {"sips", "calls over TLS", "{\"tcp\":[5061]}"},
        {"smb", "Windows shares", "{\"tcp\":[445]}"},
        {"smtp", "mail between servers", "{\"tcp\":[25]}"},
        {"smtps", "mail over TLS", "{\"tcp\":[465]}"},
        {"snmp", "SNMP queries", "{\"udp\":[161]}"},
        {"snmp-trap", "SNMP traps", "{\"udp\":[162]}"},
        {"ssdp", "discovery of UPnP", "{\"udp\":[1900]}"},
        {"ssh", "Secure Shell", "{\"tcp\":[22]}"},
        {"stun", "STUN and TURN", "{\"tcp\":[3478],\"udp\":[3478]}"},
        {"submission", "mail of clients", "{\"tcp\":[587]}"},
        {"svn", "Subversion", "{\"tcp\":[3690]}"},
        {"syncthing", "Syncthing", "{\"tcp\":[22000],\"udp\":[22000]}"},
        {"syslog", "logs", "{\"udp\":[514]}"},
        {"syslog-tls", "logs over TLS", "{\"tcp\":[6514]}"},
        {"telnet", "terminal without encryption", "{\"tcp\":[23]}"},
        {"teredo", "Teredo", "{\"udp\":[3544]}"},
        {"tftp", "trivial file transfer, with its helper", "{\"helper\":\"tftp\",\"udp\":[69]}"},
        {"tor", "onion routers", "{\"tcp\":[9001,9030]}"},
        {"unifi", "UniFi devices and controller", "{\"tcp\":[8080,8443],\"udp\":[3478,10001]}"},
        {"vnc", "screens", "{\"tcp\":[\"5900-5999\"]}"},
        {"vrrp", "VRRP", "{\"protocols\":[\"vrrp\"]}"},
        {"vxlan", "VXLAN", "{\"udp\":[4789]}"},
        {"winrm", "Windows remote management", "{\"tcp\":[\"5985-5986\"]}"},
        {"wireguard", "WireGuard", "{\"udp\":[51820]}"},
        {"xmpp-client", "chat", "{\"tcp\":[5222]}"},
        {"xmpp-server", "chat between servers", "{\"tcp\":[5269]}"},
        {"zabbix-agent", "Zabbix agent", "{\"tcp\":[10050]}"},
        {"zabbix-server", "Zabbix server", "{\"tcp\":[10051]}"},
        {},
};

static const PtField service_fields[] = {
        [SERVICE_TCP] = PT_FIELD(Service, port_range, tcp, "tcp", PT_F_LIST,
                .doc = "Its TCP ports.",
                .example = "[80, 443]"),
        [SERVICE_UDP] = PT_FIELD(Service, port_range, udp, "udp", PT_F_LIST,
                .doc = "Its UDP ports.",
                .example = "[53]"),
        [SERVICE_SCTP] = PT_FIELD(Service, port_range, sctp, "sctp", PT_F_LIST,
                .doc = "Its SCTP ports.",
                .example = "[3868]"),
        [SERVICE_PROTOCOLS] = PT_FIELD(Service, protocol, protocols, "protocols", PT_F_LIST,
                .doc = "Protocols inside IP that belong to it whatever the ports, by name or "
                       "number.",
                .example = "[esp]"),
        [SERVICE_HELPER] = PT_FIELD(Service, enum, helper, "helper", 0,
                .choices = fw_helpers,
                .doc = "The connection helper that a rule which allows the service brings along.",
                .example = "ftp"),
        {},
};
/* clang-format on */
G_STATIC_ASSERT(G_N_ELEMENTS(service_fields) == SERVICE_HELPER + 2);

FwHelper fw_builtin_helper(const char *service, const PtLookup *lookup)
{
        g_autoptr(PtObject) object = NULL;

        if (lookup->get(lookup->ctx, &pt_kind_service, service))
                return FW_HELPER_INVALID;
        object = pt_kind_builtin(&pt_kind_service, service);
        return object && pt_object_has(object, SERVICE_HELPER)
                       ? (FwHelper) ((const Service *) object)->helper
                       : FW_HELPER_INVALID;
}

static int check_helper(const Service *service, PtDiagnostics *diag)
{
        FwHelper helper = (FwHelper) service->helper;

        if (!pt_object_has(&service->object, SERVICE_HELPER) ||
            (service->tcp.n > 0 && fw_helper_has_protocol(helper, IPPROTO_TCP)) ||
            (service->udp.n > 0 && fw_helper_has_protocol(helper, IPPROTO_UDP)))
                return 0;
        pt_diag_error(diag, "needs-protocol", "/spec/helper",
                      "the helper %s has nothing to help: the service has no %s ports",
                      fw_helpers[helper].name,
                      fw_helper_has_protocol(helper, IPPROTO_TCP) ? "TCP" : "UDP");
        return -EINVAL;
}

static int service_check(const PtObject *object, PtDiagnostics *diag)
{
        const Service *service = (const Service *) object;
        const int *protocols = service->protocols.items;
        int r = check_helper(service, diag);

        if (service->tcp.n + service->udp.n + service->sctp.n + service->protocols.n == 0) {
                pt_diag_error(diag, "empty-service", "/spec",
                              "the service has neither ports nor protocols; add some: tcp: [8080]");
                r = -EINVAL;
        }
        for (unsigned i = 0; i < service->protocols.n; i++)
                if (protocols[i] == PT_PROTOCOL_ANY) {
                        pt_diag_error(
                                diag, "no-protocol", "/spec/protocols",
                                "\"any\" is no protocol of a service; a rule without services "
                                "matches all");
                        r = -EINVAL;
                }
        return r;
}

static int service_check_set(const PtObject *object, const PtLookup *lookup, PtDiagnostics *diag)
{
        const Service *service = (const Service *) object;
        const FilterSettings *settings = (const FilterSettings *) lookup->get(
                lookup->ctx, &pt_kind_filter_settings, "default");

        if (!pt_object_has(object, SERVICE_HELPER) ||
            fw_settings_helper(settings, (FwHelper) service->helper))
                return 0;
        pt_diag_error(diag, "helper-not-allowed", "/spec/helper",
                      "FilterSettings do not list the helper %s; add it to their \"helpers\"",
                      fw_helpers[service->helper].name);
        return -EINVAL;
}

const PtKind pt_kind_service = {
        .name = "Service",
        .api_version = "patronus.firewall/v1",
        .plural = "services",
        .doc = "What a connection is for, by the ports it goes to: a name for rules. Many are "
               "built in; one of your own with the same name takes the place of a built-in one.",
        .example = "apiVersion: patronus.firewall/v1\n"
                   "kind: Service\n"
                   "metadata:\n"
                   "  name: shop\n"
                   "spec:\n"
                   "  tcp: [8080, 8443]\n",
        .size = sizeof(Service),
        .fields = service_fields,
        .passive = true,
        .builtins = builtins,
        .check = service_check,
        .check_set = service_check_set,
};
