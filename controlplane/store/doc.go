// Package store is the control plane's Postgres: hand-written SQL, a file per table family, and the two ways in.
//
//	db.Tenant(ctx, tenant, fn)   one tenant's rows, as the role sallyport_app, walled in by row-level security
//	db.System()                  across tenants, as the role sallyport_feed, which writes only what edges report
//
// # One way to change
//
// A mutating transaction is REPEATABLE READ. It reads its tenant's head (the two counters and the hash chains) first,
// so it knows the numbers it will commit as, and writes them on the rows it touches. Its last step is one round trip:
//
//	UPDATE head SET revision = revision + 1 …   ← the lock that orders; another commit since our first read is 40001
//	INSERT INTO change, change_item …           ← who, what, before, after; its hash covers the hash before it
//	pg_notify('sallyport_head', tenant)
//	COMMIT
//
// So commit order is revision order, without gaps, and a head that moved runs the whole function again on fresh state.
// Each lane has a head row of its own: urgent changes neither wait for config changes nor disturb them. Writers of one
// tenant and lane queue in this process first (see writers), so that they rarely collide and can never use up the pool
// that other tenants need.
//
// # What it must never do
//
// Hand out a connection, take a tenant from anything but an argument, return rows of another tenant, put secret bytes
// into an error, or keep them unsealed in a table. Errors of Postgres become kinds of error here and nowhere else.
package store
