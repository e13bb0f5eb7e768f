.PHONY: generate
generate: web/node_modules ## Generate proto/gen and proto/third_party from the protos
	go run ./proto/third_party/print proto/third_party
	web/node_modules/.bin/buf format --path proto/sallyport -w
	web/node_modules/.bin/buf generate --template proto/buf.gen.yaml

web/node_modules: web/package-lock.json
	cd web && npm ci --no-audit --no-fund
	@touch $@
