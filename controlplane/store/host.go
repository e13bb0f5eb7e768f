package store

import (
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/sallyport-iap/sallyport/controlplane"
)

// claimHosts gives every owner that this transaction put exactly the hosts of its spec. It comes after all puts and
// deletes, so that hosts can move between them in any order. A host that somebody has, of whatever tenant, is Exists;
// whose it is, is not said and not even seen.
func (tx *TenantTx) claimHosts() error {
	if len(tx.hosts) == 0 {
		return nil
	}
	var owners, hosts, hostOwners []string
	for owner, list := range tx.hosts {
		owners = append(owners, string(owner))
		for _, host := range list {
			hosts, hostOwners = append(hosts, host), append(hostOwners, string(owner))
		}
	}
	const want = `WITH want AS (SELECT * FROM unnest(@hosts::text[], @host_owners::uuid[]) AS want (host, owner_uid)) `
	args := pgx.NamedArgs{"tenant": tx.head.TenantUID, "owners": owners, "hosts": hosts, "host_owners": hostOwners}
	var taken string
	batch := &pgx.Batch{}
	batch.Queue(want+`
		DELETE FROM app_host h WHERE h.tenant_uid = @tenant AND h.owner_uid = ANY(@owners::uuid[])
			AND NOT EXISTS (SELECT FROM want WHERE want.host = h.host AND want.owner_uid = h.owner_uid)`, args)
	batch.Queue(want+`
		INSERT INTO app_host (host, tenant_uid, owner_uid)
		SELECT want.host, @tenant, want.owner_uid FROM want
		WHERE NOT EXISTS (SELECT FROM app_host h WHERE h.host = want.host AND h.owner_uid = want.owner_uid)
		ON CONFLICT (host) DO NOTHING`, args)
	batch.Queue(want+`
		SELECT want.host FROM want LEFT JOIN app_host h ON h.host = want.host AND h.owner_uid = want.owner_uid
		WHERE h.host IS NULL ORDER BY want.host LIMIT 1`, args).QueryRow(func(row pgx.Row) error {
		err := row.Scan(&taken)
		if errors.Is(err, pgx.ErrNoRows) {
			return nil
		}
		return err
	})
	if err := tx.pg.SendBatch(tx.ctx, batch).Close(); err != nil {
		return fmt.Errorf("claim hosts: %w", err)
	}
	if taken != "" {
		return HostTaken(taken)
	}
	return nil
}

// HostTaken refuses a host that somebody else has.
func HostTaken(host string) error {
	return &controlplane.Error{
		Kind: controlplane.Exists, Reason: controlplane.ReasonHostTaken,
		Message: fmt.Sprintf("host %q is taken", host), Metadata: map[string]string{"host": host},
	}
}

// HostOwners returns which of some hosts resources of the tenant have, and which has it. Those of other tenants are not
// seen: only who claims a host learns that it is taken.
func (tx *TenantTx) HostOwners(hosts []string) (map[string]controlplane.UID, error) {
	rows, err := tx.pg.Query(tx.ctx, `SELECT host, owner_uid FROM app_host WHERE tenant_uid = $1 AND host = ANY($2)`, tx.head.TenantUID, hosts)
	if err != nil {
		return nil, fmt.Errorf("read owners of hosts: %w", err)
	}
	owners := map[string]controlplane.UID{}
	var host string
	var owner controlplane.UID
	_, err = pgx.ForEachRow(rows, []any{&host, &owner}, func() error {
		owners[host] = owner
		return nil
	})
	return owners, wrap("read owners of hosts", err)
}
