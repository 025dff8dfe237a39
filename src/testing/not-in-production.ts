import { refuseInProduction } from '../config.ts';

// Imported first, so that nothing else is even loaded.
refuseInProduction('postern/testing');
