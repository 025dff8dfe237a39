import { randomUUID } from 'node:crypto';
import type { Db } from '../infra/database.ts';
import { hashToken, isToken, makeToken } from '../lib/secrets.ts';
import type { CredentialKind } from './sessions.ts';

/** What somebody goes to a provider for. What came back for one does for nothing else. */
export type ProviderFlowPurpose = 'LOG_IN' | 'CONNECT';

/** What is to begin. */
export interface NewProviderFlow {
  readonly purpose: ProviderFlowPurpose;
  readonly provider: string;
  /** As the provider brings it back. */
  readonly state: string;
  readonly redirectUrl: string;
  /** For a login: how its client wants to hold the session. */
  readonly credential: CredentialKind | null;
  /** For a connection: the session that asks for it. */
  readonly sessionId: string | null;
  readonly sealedSecrets: string;
  readonly expiresAt: Date;
}

/** A way to a provider from which the browser has come back. */
export interface ReturnedFlow {
  readonly id: string;
  readonly provider: string;
  readonly credential: CredentialKind | null;
  readonly sessionId: string | null;
  readonly sealedSecrets: string;
  readonly sealedResponse: string;
}

/**
 * Begins one.
 * @returns the token by which its client carries it on; it goes to nobody else
 */
export async function begin(db: Db, flow: NewProviderFlow, now: Date): Promise<string> {
  const flowToken = makeToken('flow');
  await db.execute`
    INSERT INTO provider_flows (id, purpose, provider, flow_token_hash, state_hash, redirect_url, credential, session_id,
      sealed_secrets, created_at, expires_at)
    VALUES (${randomUUID()}::uuid, ${flow.purpose}, ${flow.provider}, ${hashToken(flowToken)}, ${hashToken(flow.state)},
      ${flow.redirectUrl}, ${flow.credential}::credential_kind, ${flow.sessionId}::uuid, ${flow.sealedSecrets}, ${now},
      ${flow.expiresAt})`;
  return flowToken;
}

/**
 * Notes what a provider sent back with the browser, once. Only the provider that the state was made for may bring it.
 * @param code what the browser brings on to the client; null if there is nothing to be completed
 * @returns where the browser goes on to; null if the state is unknown, of another provider, used or too old
 */
export async function noteReturn(
  db: Db,
  returned: {
    readonly provider: string;
    readonly state: string;
    readonly code: string | null;
    readonly sealedResponse: string;
  },
  now: Date,
): Promise<string | null> {
  if (!isToken('state', returned.state)) return null;
  const codeHash = returned.code === null ? null : hashToken(returned.code);
  const [row] = await db.query<{ redirect_url: string }>`
    UPDATE provider_flows SET returned_at = ${now}, code_hash = ${codeHash}, sealed_response = ${returned.sealedResponse}
    WHERE state_hash = ${hashToken(returned.state)} AND provider = ${returned.provider} AND returned_at IS NULL
      AND expires_at > ${now}
    RETURNING redirect_url`;
  return row?.redirect_url ?? null;
}

/**
 * Uses one up, for who holds both its token and the code that the browser brought; where the provider sent none, there is
 * nothing but its refusal to be had, and the token does.
 * @returns null if there is no such flow, or it was used: of fifty at once, one gets it
 */
export async function complete(
  db: Db,
  {
    purpose,
    flowToken,
    code,
    sessionId,
  }: {
    readonly purpose: ProviderFlowPurpose;
    readonly flowToken: string;
    readonly code: string;
    /** Null for a login. */
    readonly sessionId: string | null;
  },
  now: Date,
): Promise<ReturnedFlow | null> {
  if (!isToken('flow', flowToken)) return null;
  const codeHash = isToken('return', code) ? hashToken(code) : null;
  const [flow] = await db.query<ReturnedFlow>`
    UPDATE provider_flows SET completed_at = ${now}
    WHERE flow_token_hash = ${hashToken(flowToken)} AND purpose = ${purpose} AND (code_hash IS NULL OR code_hash = ${codeHash})
      AND session_id IS NOT DISTINCT FROM ${sessionId}::uuid AND returned_at IS NOT NULL AND completed_at IS NULL
      AND expires_at > ${now}
    RETURNING id, provider, credential, session_id AS "sessionId", sealed_secrets AS "sealedSecrets",
      sealed_response AS "sealedResponse"`;
  return flow ?? null;
}
