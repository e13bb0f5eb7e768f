DROP TABLE request_seen, change_item, change, removed, app_host, reference, resource_secret, resource, head, tenant;
