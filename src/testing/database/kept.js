/** What a holder of the server hears from its keeper, once it is one. */
export const KEPT = 'kept\n';
