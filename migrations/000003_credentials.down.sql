DROP TABLE join_token, service_token, api_token, deployment_secret, tenant_key;
